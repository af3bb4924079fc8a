import type { EventBridgeEvent } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { orphaned, Pulse } from '../../functions/schedule/pulse.ts'
import { outboundKey, whatsappIdOf } from '../../shared/aws/ids.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { FleetView, WorkerRow } from '../../shared/domain/stores/fleet.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import { type Cloud, lambdaContext, partitions, startCloud } from './cloud.ts'

/** What happens in the world while a handler pauses. */
const meanwhile = vi.hoisted(() => ({ happens: async (): Promise<void> => undefined }))
vi.mock('node:timers/promises', async (importOriginal) => {
  const timers = await importOriginal<typeof import('node:timers/promises')>()
  const pause = async (ms?: number): Promise<void> => {
    await meanwhile.happens()
    await timers.setTimeout(ms)
  }
  return { ...timers, setTimeout: pause }
})

let cloud: Cloud
let handlers: Awaited<ReturnType<typeof load>>

async function load() {
  return {
    sweep: (await import('../../functions/schedule/sweep.ts')).handler,
    noWorker: (await import('../../functions/schedule/no-worker.ts')).handler,
    taskStopped: (await import('../../functions/events/task-stopped.ts')).handler,
  }
}

beforeAll(async () => {
  cloud = await startCloud()
  handlers = await load()
})
afterAll(() => cloud?.stop())
beforeEach(async () => {
  await cloud.doorbells()
})

const scheduled = {} as EventBridgeEvent<'Scheduled Event', unknown>
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
const businessProfileId = 'bp_1'

describe('sweep', () => {
  test('a scheduled send that is not due is left alone, and so is nobody behind it', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString()
    const row = await waiting({ sendAt, createdAt: ago(3_600_000), enqueuedAt: ago(3_600_000), generation: 1 })
    const behind = await waiting({ createdAt: ago(400_000), enqueuedAt: ago(400_000), generation: 1 }, row.connectionId)
    await handlers.sweep(scheduled, lambdaContext)
    expect(await cloud.doorbells()).toMatchObject([{ messageId: behind.messageId }])
  })

  let count = 0
  async function waiting(change: Partial<OutboundRow>, connectionId = `con_${++count}`): Promise<OutboundRow> {
    const messageId = `msg_${++count}`
    const whatsappId = whatsappIdOf(messageId)
    const outcome = await cloud.stores.messages.accept({
      businessProfileId,
      connectionId,
      key: outboundKey(whatsappId),
      messageId,
      whatsappId,
      chat: 'x@s.whatsapp.net',
      direction: 'outbound',
      to: '+94714515253',
      content: { type: 'text', text: { body: 'hello' } },
      status: 'queued',
      partition: 1,
      waitingPartition: 1,
      generation: 0,
      deadlineAt: ago(-3_600_000),
      bodyHash: 'x',
      version: 1,
      epoch: 0,
      createdAt: ago(0),
      updatedAt: ago(0),
      expireAt: Math.floor(Date.now() / 1000) + 1_000,
      ...change,
    })
    if (outcome.kind !== 'created') throw new Error(outcome.kind)
    return outcome.row
  }
  const sweep = () => handlers.sweep(scheduled, lambdaContext)
  const rung = async () => (await cloud.doorbells()).map(({ messageId, generation }) => ({ messageId, generation }))

  test('rings for a row that nobody rang for, once', async () => {
    const forgotten = await waiting({ createdAt: ago(31_000) })
    await waiting({ createdAt: ago(5_000) })
    await sweep()
    expect(await rung()).toEqual([{ messageId: forgotten.messageId, generation: 1 }])
    await sweep()
    expect(await rung()).toEqual([])
  })

  test("rings again for a connection's first waiting send, under a new generation", async () => {
    const old = { createdAt: ago(400_000), enqueuedAt: ago(301_000), generation: 1 }
    const first = await waiting(old, 'con_stale')
    await waiting(old, 'con_stale')
    await sweep()
    expect(await rung()).toEqual([{ messageId: first.messageId, generation: 2 }])
  })

  test('ends what no worker ended a minute after its deadline; a worker has that minute', async () => {
    const late = await waiting({ createdAt: ago(4_000_000), deadlineAt: ago(61_000) })
    const due = await waiting({ deadlineAt: ago(30_000) })
    await sweep()
    expect(await cloud.stores.messages.get(late, late.messageId)).toMatchObject({
      status: 'failed',
      error: { code: 'expired' },
    })
    expect(await cloud.stores.messages.get(due, due.messageId)).toMatchObject({ status: 'queued' })
    expect(await rung()).toEqual([])
  })
})

function worker(workerId: string, change: Partial<WorkerRow> = {}): WorkerRow {
  return {
    workerId,
    counter: 1,
    state: 'live',
    taskArn: `arn:aws:ecs:eu-west-1:000000000000:task/c/${workerId}`,
    deployment: '1',
    maxConnections: 100,
    connections: 0,
    startedAt: ago(0),
    ...change,
  }
}

describe('no worker', () => {
  let count = 0
  async function connection(partition: number, change: Partial<ConnectionRow> = {}): Promise<ConnectionRow> {
    const row: ConnectionRow = {
      businessProfileId,
      connectionId: `con_${++count}`,
      label: 'x',
      pairing: 'qr',
      status: 'connected',
      reason: 'open',
      message: 'x',
      partition,
      epoch: 1,
      version: 1,
      createdAt: ago(0),
      updatedAt: ago(0),
      ...change,
    }
    await cloud.stores.connections.create(row)
    return row
  }
  const reason = async (row: ConnectionRow) => (await cloud.stores.connections.get(row))?.reason

  test('marks connections whose owner stood still, and none of a worker that renews', async () => {
    const { fleet } = cloud.stores
    await fleet.ensurePartitions(partitions)
    for (const [partition, workerId] of ['living', 'silent'].entries()) {
      await fleet.register(worker(workerId))
      expect((await fleet.take({ partition, epoch: 0 }, workerId, undefined)).kind).toBe('taken')
    }
    const [living, orphan] = [await connection(0), await connection(1)]
    const gone = await connection(1, { status: 'disconnected', reason: 'logged_out' })
    let counter = 1
    meanwhile.happens = async () => {
      await fleet.renew('living', ++counter, { connections: 1, state: 'live' })
    }
    await handlers.noWorker(scheduled, lambdaContext).finally(() => {
      meanwhile.happens = async () => undefined
    })
    expect(counter).toBeGreaterThan(1)
    expect(await reason(living)).toBe('open')
    expect(await cloud.stores.connections.get(orphan)).toMatchObject({ status: 'reconnecting', reason: 'no_worker' })
    expect(await reason(gone)).toBe('logged_out')
  })

  test('does not overwrite what a living owner says', async () => {
    const { watchdogConnections } = await import('../../shared/aws/connections.ts')
    const seen = await connection(1)
    await cloud.stores.worker.update(seen, 2, { message: 'from a newer owner' }, ago(0))
    const outcome = await watchdogConnections(cloud.tables.connections).markNoWorker(seen, ago(0))
    expect(outcome.kind).toBe('fenced')
  })
})

describe('a pulse is only taken while watched, on one clock', () => {
  const view = (counter: number, state: WorkerRow['state'] = 'live'): FleetView => ({
    workers: [worker('w', { counter, state })],
    partitions: [{ partition: 0, epoch: 1, owner: 'w', connections: 0 }],
  })
  const look = (pulse: Pulse, seen: FleetView, nowMs: number) => {
    pulse.see(seen.workers, nowMs)
    return orphaned(seen, 1, pulse, nowMs)
  }

  test('a first look decides nothing', () => {
    const pulse = new Pulse(100)
    pulse.beginWatch()
    expect(look(pulse, view(1), 0)).toEqual({ partitions: [], undecided: true })
  })

  test('a counter that moved since the last run needs one look', () => {
    const pulse = new Pulse(100)
    pulse.beginWatch()
    look(pulse, view(1), 0)
    pulse.beginWatch()
    expect(look(pulse, view(2), 60_000)).toEqual({ partitions: [], undecided: false })
  })

  test('a counter that is where it was at the last run is watched for a whole lease time first', () => {
    const pulse = new Pulse(100)
    pulse.beginWatch()
    look(pulse, view(1), 0)
    pulse.beginWatch()
    expect(look(pulse, view(1), 60_000).undecided).toBe(true)
    expect(look(pulse, view(1), 60_099).undecided).toBe(true)
    expect(look(pulse, view(1), 60_100)).toEqual({ partitions: [0], undecided: false })
  })

  test('a partition without owner, of an unknown or of a dead worker needs no watching', () => {
    const pulse = new Pulse(100)
    pulse.beginWatch()
    expect(look(pulse, view(1, 'dead'), 0)).toEqual({ partitions: [0], undecided: false })
    expect(look(pulse, { ...view(1), workers: [] }, 0)).toEqual({ partitions: [0], undecided: false })
    expect(look(pulse, { workers: [], partitions: [] }, 0)).toEqual({ partitions: [0], undecided: false })
  })
})

describe('task stopped', () => {
  const stopped = (workerId: string, containers: readonly object[], lastStatus = 'STOPPED') =>
    handlers.taskStopped(
      { detail: { taskArn: worker(workerId).taskArn, lastStatus, containers } } as EventBridgeEvent<
        'ECS Task State Change',
        unknown
      >,
      lambdaContext,
    )
  const state = async (workerId: string) =>
    (await cloud.stores.fleet.view()).workers.find((each) => each.workerId === workerId)?.state

  test.each([
    ['an exit code of the connector', [{ name: 'connector', exitCode: 137 }], 'STOPPED', 'dead'],
    ['an exit code of zero', [{ name: 'connector', exitCode: 0 }], 'STOPPED', 'dead'],
    ['no exit code', [{ name: 'connector' }], 'STOPPED', 'live'],
    ["another container's exit code", [{ name: 'proxy', exitCode: 1 }, { name: 'connector' }], 'STOPPED', 'live'],
    ['a task that still runs', [{ name: 'connector', exitCode: 1 }], 'STOPPING', 'live'],
  ])('%s', async (what, containers, lastStatus, expected) => {
    await cloud.stores.fleet.register(worker(what))
    await cloud.stores.fleet.register(worker(`other ${what}`))
    await stopped(what, containers, lastStatus)
    expect([await state(what), await state(`other ${what}`)]).toEqual([expected, 'live'])
  })
})
