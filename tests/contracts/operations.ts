import { beforeEach, describe, expect, test } from 'vitest'
import { newOperationId } from '../../shared/aws/ids.ts'
import type { OperationOutcome } from '../../shared/domain/operations.ts'
import type { ApiOperations, OperationRow, WorkerOperations } from '../../shared/domain/stores/operations.ts'
import { at, ref } from './message-rows.ts'

/** An operation as the API accepts it: pending, in partition 3. */
export function operation(changes: Partial<OperationRow> = {}): OperationRow {
  return {
    ...ref,
    operationId: newOperationId(),
    request: { kind: 'check_contacts', phoneNumbers: ['+94714515253'] },
    status: 'pending',
    partition: 3,
    deadlineAt: at(120),
    requestHash: 'hash of what was asked',
    version: 1,
    epoch: 0,
    createdAt: at(0),
    updatedAt: at(0),
    expireAt: 2_000_000_000,
    ...changes,
  }
}

const done: OperationOutcome = {
  status: 'succeeded',
  result: { contacts: [{ phoneNumber: '+94714515253', onWhatsApp: true, lid: '1@lid' }] },
}
const forbidden: OperationOutcome = { status: 'failed', error: { code: 'forbidden', message: 'No.' } }

/** What the API and workers may rely on; `fresh` gives an empty store. */
export function operationStoresContract(
  name: string,
  fresh: () => Promise<{ readonly api: ApiOperations; readonly worker: WorkerOperations }>,
): void {
  describe(`operations: ${name}`, () => {
    let api: ApiOperations
    let worker: WorkerOperations

    beforeEach(async () => {
      ;({ api, worker } = await fresh())
    })

    async function accepted(changes: Partial<OperationRow> = {}): Promise<OperationRow> {
      const row = operation(changes)
      expect(await api.accept(row)).toEqual({ kind: 'created', row })
      return row
    }
    const complete = (row: OperationRow, epoch = 1, outcome = done) =>
      worker.complete(row, row.operationId, epoch, outcome, at(9))
    const begin = (row: OperationRow, token = 'token-1', epoch = 1) =>
      worker.begin(row, row.operationId, epoch, token, at(5))

    test('what was accepted is read by both sides, and is pending', async () => {
      const row = await accepted({ idempotencyKey: 'key-1' })
      expect(await api.get(ref, row.operationId)).toEqual(row)
      expect(await worker.get(ref, row.operationId)).toEqual(row)
      expect(await worker.listPending(3)).toEqual([row])
      expect(await api.listPending(3)).toEqual([row])
    })

    test('an operation of another connection or business profile is not found', async () => {
      const { operationId } = await accepted()
      expect(await api.get({ ...ref, connectionId: 'con_2' }, operationId)).toBeUndefined()
      expect(await worker.get({ ...ref, businessProfileId: 'bp_2' }, operationId)).toBeUndefined()
    })

    test('the same id with the same request is the same operation, with another a conflict', async () => {
      const row = await accepted()
      expect(await api.accept({ ...row, createdAt: at(50) })).toEqual({ kind: 'replayed', row })
      expect(await api.accept({ ...row, requestHash: 'another' })).toEqual({ kind: 'conflict' })
      await complete(row)
      const replayed = await api.accept(row)
      expect(replayed).toMatchObject({ kind: 'replayed', row: { status: 'succeeded' } })
    })

    test('one that was accepted as failed is not pending', async () => {
      const row = await accepted({ ...forbidden, completedAt: at(0) })
      expect(await worker.listPending(3)).toEqual([])
      expect(await begin(row)).toEqual({ kind: 'ended' })
    })

    test("a partition's pending operations come per connection, oldest first, and those of other partitions do not", async () => {
      for (const [second, connectionId] of [
        [3, 'con_1'],
        [1, 'con_2'],
        [2, 'con_1'],
      ] as const)
        await accepted({ connectionId, createdAt: at(second) })
      await accepted({ partition: 4 })
      const pending = await worker.listPending(3)
      expect(pending).toHaveLength(3)
      const ofFirst = pending.filter(({ connectionId }) => connectionId === 'con_1').map(({ createdAt }) => createdAt)
      expect(ofFirst.toSorted()).toEqual([at(2), at(3)])
    })

    describe('beginning', () => {
      test('who begins may carry it out, and nobody else', async () => {
        const row = await accepted()
        expect(await begin(row)).toEqual({ kind: 'begun' })
        expect(await begin(row, 'token-2')).toEqual({ kind: 'begun_before' })
        expect(await begin(row, 'token-2', 2)).toEqual({ kind: 'begun_before' })
        expect(await worker.get(ref, row.operationId)).toMatchObject({ begunBy: 'token-1', version: 2, epoch: 1 })
        expect(await worker.listPending(3)).toHaveLength(1)
      })

      test('an answer that was lost is asked for again under the same token', async () => {
        const row = await accepted()
        await begin(row)
        expect(await begin(row)).toEqual({ kind: 'begun' })
      })

      test('a stale owner does not begin', async () => {
        const row = await accepted({ epoch: 2 })
        expect(await begin(row)).toEqual({ kind: 'fenced' })
        expect(await worker.get(ref, row.operationId)).not.toHaveProperty('begunBy')
      })

      test('what is gone is not begun', async () => {
        expect(await begin(operation())).toEqual({ kind: 'gone' })
      })
    })

    describe('ending', () => {
      test('the answer is stored, and it waits no longer', async () => {
        const row = await accepted()
        expect(await complete(row, 4)).toEqual({ kind: 'written' })
        expect(await api.get(ref, row.operationId)).toEqual({
          ...row,
          ...done,
          epoch: 4,
          version: 2,
          updatedAt: at(9),
          completedAt: at(9),
        })
        expect(await api.listPending(3)).toEqual([])
      })

      test('a failure is stored with its error', async () => {
        const row = await accepted()
        await complete(row, 1, forbidden)
        expect(await api.get(ref, row.operationId)).toMatchObject(forbidden)
      })

      test('the first end counts', async () => {
        const row = await accepted()
        await complete(row)
        expect(await complete(row, 1, forbidden)).toEqual({ kind: 'stale' })
        expect(await api.expire(row, { code: 'expired', message: 'Late.' }, at(20))).toEqual({ kind: 'stale' })
        expect(await api.get(ref, row.operationId)).toMatchObject(done)
      })

      test("a stale owner's answer does not land", async () => {
        const row = await accepted({ epoch: 2 })
        expect(await complete(row, 1)).toEqual({ kind: 'fenced' })
        expect(await api.get(ref, row.operationId)).toMatchObject({ status: 'pending' })
      })

      test('what is gone is not brought back', async () => {
        const row = operation()
        expect(await complete(row)).toEqual({ kind: 'gone' })
        expect(await api.get(ref, row.operationId)).toBeUndefined()
      })

      test('one that nobody ended is ended by the sweep', async () => {
        const row = await accepted()
        const error = { code: 'expired', message: 'Late.' } as const
        expect(await api.expire(row, error, at(200))).toEqual({ kind: 'written' })
        expect(await worker.get(ref, row.operationId)).toMatchObject({ status: 'failed', error, completedAt: at(200) })
        expect(await worker.listPending(3)).toEqual([])
        expect(await complete(row)).toEqual({ kind: 'stale' })
      })

      test('a long answer comes back as it was; one that cannot be kept is refused', async () => {
        const contacts = Array.from({ length: 8_000 }, (_, n) => ({
          phoneNumber: `+9471${n}`,
          onWhatsApp: n % 2 === 0,
        }))
        const row = await accepted()
        expect(await complete(row, 1, { status: 'succeeded', result: { contacts } })).toEqual({ kind: 'written' })
        expect((await api.get(ref, row.operationId))?.result).toEqual({ contacts })
        const endless = Array.from({ length: 60_000 }, () => ({ phoneNumber: crypto.randomUUID(), onWhatsApp: true }))
        const other = await accepted()
        expect(await complete(other, 1, { status: 'succeeded', result: { contacts: endless } })).toEqual({
          kind: 'too_large',
        })
        expect(await api.get(ref, other.operationId)).toEqual(other)
      })
    })
  })
}
