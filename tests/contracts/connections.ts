import { beforeEach, describe, expect, test } from 'vitest'
import type {
  ApiConnections,
  ConnectionRow,
  WatchdogConnections,
  WorkerConnections,
} from '../../shared/domain/stores/connections.ts'
import type { CommandKind, ConnectionCommand } from '../../shared/domain/words.ts'

export interface ConnectionStores {
  readonly worker: WorkerConnections
  readonly api: ApiConnections
  readonly watchdog: WatchdogConnections
}

export interface WorkerSide {
  readonly worker: WorkerConnections
  /** Brings a row about, as the API would. */
  create(row: ConnectionRow): Promise<unknown>
}

/** What a worker may rely on; holds for the real store and for the simulation's model. `fresh` gives an empty store. */
export function workerConnectionsContract(name: string, fresh: () => Promise<WorkerSide>): void {
  describe(`connections, a worker's side: ${name}`, () => {
    let worker: WorkerConnections
    let create: WorkerSide['create']

    beforeEach(async () => {
      ;({ worker, create } = await fresh())
    })

    test('a row is read as it was written, by its own business profile only', async () => {
      await create(connection())
      expect(await worker.get(ref)).toEqual(connection())
      expect(await worker.get({ ...ref, businessProfileId: 'bp_2' })).toBeUndefined()
    })

    test('a partition lists its connections of all business profiles', async () => {
      await create(connection({ partition: 3 }))
      await create(connection({ businessProfileId: 'bp_2', connectionId: 'con_2', partition: 3 }))
      await create(connection({ connectionId: 'con_3', partition: 4 }))
      const ids = (await worker.listByPartition(3)).map((row) => row.connectionId).sort()
      expect(ids).toEqual(['con_1', 'con_2'])
    })

    describe('a worker writes', () => {
      test('what it changes, its epoch, the next version and the time; null removes', async () => {
        await create(connection({ remedy: 'scan_qr', attempt: 2 }))
        const change = { status: 'connected', reason: 'open', message: 'Connected.', remedy: null } as const
        expect(await worker.update(ref, 4, change, later)).toEqual({ kind: 'written' })
        const { remedy: _removed, ...kept } = connection({ attempt: 2 })
        expect(await worker.get(ref)).toEqual({
          ...kept,
          ...change,
          remedy: undefined,
          epoch: 4,
          version: 2,
          updatedAt: later,
        })
        expect(await worker.get(ref)).not.toHaveProperty('remedy')
      })

      test('again at the same epoch, and after an older owner', async () => {
        await create(connection())
        expect(await worker.update(ref, 4, { label: 'a' }, later)).toEqual({ kind: 'written' })
        expect(await worker.update(ref, 4, { label: 'b' }, later)).toEqual({ kind: 'written' })
        expect(await worker.update(ref, 5, { label: 'c' }, later)).toEqual({ kind: 'written' })
        expect(await worker.get(ref)).toMatchObject({ label: 'c', epoch: 5, version: 4 })
      })

      test("but not after a newer owner did, and changes nothing then, nor removes the newer owner's row", async () => {
        await create(connection())
        await worker.update(ref, 5, { label: 'new owner' }, later)
        expect(await worker.update(ref, 4, { label: 'old owner' }, later)).toEqual({ kind: 'fenced' })
        expect(await worker.remove(ref, 4)).toEqual({ kind: 'fenced' })
        expect(await worker.get(ref)).toMatchObject({ label: 'new owner', epoch: 5, version: 2 })
      })

      test('nothing to a connection that was removed: it is not resurrected', async () => {
        await create(connection())
        expect(await worker.remove(ref, 4)).toEqual({ kind: 'written' })
        expect(await worker.update(ref, 4, { label: 'back' }, later)).toEqual({ kind: 'gone' })
        expect(await worker.remove(ref, 4)).toEqual({ kind: 'gone' })
        expect(await worker.get(ref)).toBeUndefined()
      })

      test('at the same time as others, and every write counts one version', async () => {
        await create(connection())
        await Promise.all(Array.from({ length: 20 }, (_, i) => worker.update(ref, 1, { attempt: i }, later)))
        expect((await worker.get(ref))?.version).toBe(21)
      })
    })

    test('what a change leaves undefined stays as it is', async () => {
      await create(connection({ remedy: 'scan_qr' }))
      await worker.update(ref, 1, { label: 'New', remedy: undefined }, later)
      expect(await worker.get(ref)).toMatchObject({ label: 'New', remedy: 'scan_qr' })
    })
  })
}

/** What the API and the watchdog may rely on; `fresh` gives the three sides over one empty table. */
export function connectionStoresContract(name: string, fresh: () => Promise<ConnectionStores>): void {
  describe(`connection stores: ${name}`, () => {
    let worker: WorkerConnections
    let api: ApiConnections
    let watchdog: WatchdogConnections

    beforeEach(async () => {
      ;({ worker, api, watchdog } = await fresh())
    })

    describe('rows', () => {
      test('a created connection is read by both sides as it was written', async () => {
        expect(await api.create(connection())).toEqual({ kind: 'created' })
        expect(await api.get(ref)).toEqual(connection())
        expect(await worker.get(ref)).toEqual(connection())
      })

      test('a connection is created once', async () => {
        await api.create(connection())
        expect(await api.create(connection({ label: 'Another' }))).toEqual({ kind: 'exists' })
        expect((await api.get(ref))?.label).toBe('Primary Device')
      })

      test("another business profile's connection of the same id is not found", async () => {
        await api.create(connection())
        const foreign = { ...ref, businessProfileId: 'bp_2' }
        expect(await api.get(foreign)).toBeUndefined()
        expect(await worker.get(foreign)).toBeUndefined()
        expect((await api.list('bp_2', 10)).items).toEqual([])
        expect(await api.requestCommand(foreign, command('restart'), {}, later)).toEqual({ kind: 'not_found' })
        expect(await worker.update(foreign, 1, { label: 'x' }, later)).toEqual({ kind: 'gone' })
        expect(await worker.remove(foreign, 1)).toEqual({ kind: 'gone' })
        expect(await api.get(ref)).toEqual(connection())
      })

      test('a list is paged in order of id and ends without an empty page', async () => {
        for (const id of ['con_3', 'con_1', 'con_4', 'con_2']) await api.create(connection({ connectionId: id }))
        const first = await api.list('bp_1', 2)
        expect(first.items.map((row) => row.connectionId)).toEqual(['con_1', 'con_2'])
        const second = await api.list('bp_1', 2, first.next)
        expect(second.items.map((row) => row.connectionId)).toEqual(['con_3', 'con_4'])
        expect(second.next).toBeUndefined()
      })

      test("one business profile's cursor shows another profile nothing of the first", async () => {
        for (const id of ['con_1', 'con_2']) await api.create(connection({ connectionId: id }))
        await api.create(connection({ businessProfileId: 'bp_2', connectionId: 'con_9' }))
        const { next } = await api.list('bp_1', 1)
        const page = await api.list('bp_2', 10, next)
        expect(page.items.map((row) => row.businessProfileId)).toEqual(['bp_2'])
      })

      test('a partition lists its connections of all business profiles', async () => {
        await api.create(connection({ partition: 3 }))
        await api.create(connection({ businessProfileId: 'bp_2', connectionId: 'con_2', partition: 3 }))
        await api.create(connection({ connectionId: 'con_3', partition: 4 }))
        const ids = (await worker.listByPartition(3)).map((row) => row.connectionId).sort()
        expect(ids).toEqual(['con_1', 'con_2'])
        expect((await watchdog.listByPartition(3)).map((row) => row.connectionId).sort()).toEqual(ids)
      })
    })

    test('nothing is written to a connection that was removed: it is not resurrected', async () => {
      await api.create(connection())
      await worker.remove(ref, 4)
      expect(await watchdog.markNoWorker(connection(), later)).toEqual({ kind: 'gone' })
      expect(await api.requestCommand(ref, command('pair'), {}, later)).toEqual({ kind: 'not_found' })
      expect(await api.get(ref)).toBeUndefined()
    })

    describe('commands', () => {
      test('a command is stored with its change and leaves the epoch to the workers', async () => {
        await api.create(connection({ epoch: 3 }))
        const outcome = await api.requestCommand(ref, command('pair'), { status: 'qr_pending', remedy: null }, later)
        const row = connection({
          epoch: 3,
          version: 2,
          status: 'qr_pending',
          command: command('pair'),
          updatedAt: later,
        })
        expect(outcome).toEqual({ kind: 'accepted', row })
        expect(await worker.get(ref)).toEqual(row)
      })

      const kinds = ['pair', 'restart', 'logout', 'delete'] as const
      const replaces: Readonly<Record<CommandKind, readonly CommandKind[]>> = {
        pair: ['restart'],
        restart: ['pair'],
        logout: ['pair', 'restart'],
        delete: ['pair', 'restart', 'logout'],
      }
      for (const open of kinds) {
        for (const kind of kinds) {
          const accepted = replaces[kind].includes(open)
          test(`${kind} ${accepted ? 'takes the place of' : 'leaves alone'} an open ${open}`, async () => {
            await api.create(connection({ command: command(open, 'first') }))
            const outcome = await api.requestCommand(ref, command(kind, 'second'), { label: 'changed' }, later)
            expect(outcome.kind).toBe(accepted ? 'accepted' : 'already')
            const row = await api.get(ref)
            expect(row?.command?.commandId).toBe(accepted ? 'second' : 'first')
            expect(row?.label).toBe(accepted ? 'changed' : 'Primary Device')
            expect(outcome).toEqual({ kind: outcome.kind, row })
          })
        }
      }

      test('a handled command is no longer open', async () => {
        for (const open of ['pair', 'restart', 'logout'] as const) {
          const id = `con_${open}`
          const row = connection({ connectionId: id, command: command(open, 'first'), handledCommandId: 'first' })
          await api.create(row)
          expect(await api.requestCommand(row, command(open, 'second'), {}, later)).toMatchObject({ kind: 'accepted' })
          expect(await api.requestCommand(row, command(open, 'third'), {}, later)).toMatchObject({ kind: 'already' })
        }
      })

      test('the same command twice is the same as once', async () => {
        await api.create(connection())
        await api.requestCommand(ref, command('restart', 'mine'), {}, later)
        expect(await api.requestCommand(ref, command('restart', 'mine'), {}, later)).toMatchObject({ kind: 'accepted' })
        expect((await api.get(ref))?.version).toBe(2)
      })

      test('of many equal commands at the same time one is accepted', async () => {
        await api.create(connection())
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, i) => api.requestCommand(ref, command('restart', `c${i}`), {}, later)),
        )
        expect(outcomes.filter((outcome) => outcome.kind === 'accepted')).toHaveLength(1)
      })
    })

    describe('the check for living workers', () => {
      test('marks a connection as it saw it', async () => {
        await api.create(connection({ epoch: 2, remedy: 'restart', attempt: 1, maxAttempts: 5 }))
        await worker.update(ref, 2, { status: 'connected', reason: 'open' }, later)
        const [seen] = await watchdog.listByPartition(0)
        expect(await watchdog.markNoWorker(seen!, evenLater)).toEqual({ kind: 'written' })
        const row = await api.get(ref)
        expect(row).toMatchObject({ status: 'reconnecting', reason: 'no_worker', epoch: 2, version: 3 })
        expect(row).not.toHaveProperty('remedy')
        expect(row).not.toHaveProperty('attempt')
      })

      test('never overwrites what an owner said since', async () => {
        await api.create(connection({ epoch: 2, status: 'connected', reason: 'open' }))
        const [seen] = await watchdog.listByPartition(0)
        await worker.update(ref, 3, { message: 'New owner.' }, later)
        expect(await watchdog.markNoWorker(seen!, evenLater)).toEqual({ kind: 'fenced' })
        expect(await api.get(ref)).toMatchObject({ status: 'connected', message: 'New owner.' })
      })
    })
  })
}

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
const later = '2026-01-31T12:00:01.000Z'
const evenLater = '2026-01-31T12:00:02.000Z'

const command = (kind: CommandKind, commandId = `cmd_${kind}`): ConnectionCommand => ({
  commandId,
  kind,
  requestedAt: later,
  ...(kind === 'pair' ? { method: 'qr' } : {}),
})

const connection = (changes: Partial<ConnectionRow> = {}): ConnectionRow => ({
  ...ref,
  label: 'Primary Device',
  pairing: 'qr',
  partition: 0,
  epoch: 0,
  version: 1,
  createdAt: '2026-01-31T12:00:00.000Z',
  updatedAt: '2026-01-31T12:00:00.000Z',
  status: 'disconnected',
  reason: 'no_session',
  message: 'Never linked.',
  ...changes,
})
