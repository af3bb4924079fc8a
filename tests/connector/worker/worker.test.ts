import { describe, expect, test } from 'vitest'
import { UncaughtPolicy } from '../../../connector/worker/attribution.ts'
import { rest } from '../virtual-clock.ts'
import { WorkerBench } from './bench.ts'

const sendTo = (connectionId: string, messageId: string) =>
  ({ kind: 'send', businessProfileId: 'bp', connectionId, messageId, generation: 1 }) as const
const commandTo = (connectionId: string) =>
  ({ kind: 'command', businessProfileId: 'bp', connectionId, command: 'pair', commandId: 'c' }) as const

describe('restoring a taken partition', () => {
  test('those with waiting sends come first, and get their sends in order', async () => {
    const bench = new WorkerBench()
    for (const id of ['a', 'b', 'c']) bench.connection(id)
    bench.send('c', 'm1')
    bench.send('c', 'm2')
    bench.take()
    await rest()
    expect(bench.sessions.map((session) => session.ref.connectionId)).toEqual(['c', 'a', 'b'])
    expect(bench.session('c').did).toEqual(['start waiting_sends', 'enqueue m1', 'enqueue m2'])
    expect(bench.session('a').did).toEqual(['start restore'])
  })

  test('it says how many it found, each with label and number, and how it came out', async () => {
    const bench = new WorkerBench()
    bench.connection('Primary Device')
    bench.connection('Second', { phoneNumber: '+94770000001', partition: 1 })
    bench.connection('Out', { status: 'disconnected', reason: 'logged_out' })
    bench.connection('New', { status: 'qr_pending', reason: 'waiting_for_scan', linkedAt: undefined })
    bench.take(0)
    bench.take(1)
    await rest()
    // Taken in the same turn: the second is listed while the first already is.
    expect(bench.said('Restoring WhatsApp connections...')).toEqual([
      'Restoring WhatsApp connections... found 1',
      'Restoring WhatsApp connections... found 1',
    ])
    expect(bench.said('Restoring +')).toEqual([
      'Restoring +94714515253 (Primary Device)',
      'Restoring +94770000001 (Second)',
    ])
    expect(bench.worker.restoring).toEqual({ done: 0, total: 2 })
    bench.session('Primary Device').settle('open')
    bench.session('Second').settle('stopped')
    await rest()
    expect(bench.said('Restored')).toEqual([
      'Restored WhatsApp connections: 1 of 2 connected, 0 still trying, 1 need attention (0.0 s)',
    ])
    expect(bench.restoring).toEqual(['0/1', '0/2', '1/2', undefined])
    // All four have a session: the ones not restored are marked by theirs.
    expect(bench.sessions).toHaveLength(4)
  })

  test('a partition lost while it is restored does not keep the totals waiting', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.lose()
    await rest()
    expect(bench.restoring.at(-1)).toBeUndefined()
  })

  test('a listing that fails is tried again, and nothing is heard before it succeeded', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.storesFail = true
    bench.take()
    await bench.clock.passTime(2_500)
    expect(bench.sessions).toHaveLength(0)
    expect(bench.queue.polls).toBe(0)
    bench.storesFail = false
    await bench.clock.passTime(1_000)
    expect(bench.sessions).toHaveLength(1)
    expect(bench.queue.polls).toBe(1)
  })

  test('a connection whose session cannot be made harms no other', async () => {
    const bench = new WorkerBench()
    bench.connection('bad', { label: 'cannot be made' })
    bench.connection('good')
    bench.take()
    await rest()
    expect(bench.sessions.map((session) => session.ref.connectionId)).toEqual(['good'])
  })

  test('an open command is carried out', async () => {
    const bench = new WorkerBench()
    bench.connection('a', { command: { commandId: 'c1', kind: 'restart', requestedAt: '' }, handledCommandId: 'c0' })
    bench.connection('b', { command: { commandId: 'c1', kind: 'restart', requestedAt: '' }, handledCommandId: 'c1' })
    bench.take()
    await rest()
    expect(bench.session('a').did).toEqual(['start restore', 'command'])
    expect(bench.session('b').did).toEqual(['start restore'])
  })

  test('what was stored but never rung for is found within a minute', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.connection('b')
    bench.send('a', 'm1')
    await bench.clock.passTime(60_000)
    expect(bench.session('a').did).toContain('enqueue m1')
    expect(bench.session('b').did).toEqual(['start restore'])
    expect(bench.counts.at(-1)).toBe('0:2')
  })
})

describe('doorbells', () => {
  test('a send is read, put in its list, and only then deleted from the queue', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.send('a', 'm1')
    const receipt = bench.queue.ring(sendTo('a', 'm1'))
    await rest()
    expect(bench.session('a').did).toContain('enqueue m1')
    expect(bench.queue.finished).toEqual([receipt])
  })

  test('sends of one connection that come together are read together, and listed in their order', async () => {
    const bench = new WorkerBench()
    for (const connection of ['a', 'b']) bench.connection(connection)
    bench.take()
    await rest()
    for (const message of ['m1', 'm2', 'm3']) bench.send('a', message)
    bench.send('b', 'm4')
    const receipts = ['m1', 'm2', 'unknown', 'm3'].map((message) => bench.queue.ring(sendTo('a', message)))
    receipts.push(bench.queue.ring(sendTo('b', 'm4')))
    await rest()
    expect(bench.session('a').did).toEqual(['start restore', 'enqueue m1', 'enqueue m2', 'enqueue m3'])
    expect(bench.session('b').did).toEqual(['start restore', 'enqueue m4'])
    expect(bench.readTogether).toEqual([['m1', 'm2', 'unknown', 'm3']])
    expect(bench.queue.rejected).toEqual(['r3: there is no message unknown'])
    expect(bench.queue.finished.toSorted()).toEqual(receipts.filter((receipt) => receipt !== 'r3'))
  })

  test('what was read together is read again once one of them had to be tried again', async () => {
    const bench = new WorkerBench()
    bench.take()
    await rest()
    for (const message of ['m1', 'm2']) bench.send('new', message)
    for (const message of ['m1', 'm2']) bench.queue.ring(sendTo('new', message))
    // Its connection's row cannot be read yet; by the next try the second send is over.
    bench.rowsFail = true
    await rest()
    bench.rowsFail = false
    bench.connection('new')
    bench.send('new', 'm2', { status: 'failed' })
    await bench.clock.passTime(2_000)
    expect(bench.session('new').enqueued.map(({ messageId, status }) => [messageId, status])).toEqual([
      ['m1', 'queued'],
      ['m2', 'failed'],
    ])
  })

  test('a send that is no longer queued is taken note of and done with', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.send('a', 'm1', { status: 'delivered' })
    const receipt = bench.queue.ring(sendTo('a', 'm1'))
    await rest()
    expect(bench.session('a').did).toEqual(['start restore', 'enqueue m1'])
    expect(bench.queue.finished).toEqual([receipt])
  })

  test('a command brings a connection that no listing had shown yet', async () => {
    const bench = new WorkerBench()
    bench.take()
    await rest()
    bench.connection('new', { status: 'qr_pending', reason: 'pairing_requested' })
    bench.queue.ring(commandTo('new'))
    await rest()
    expect(bench.session('new').did).toEqual(['start pairing', 'command'])
    expect(bench.queue.finished).toHaveLength(1)
  })

  test('what is malformed, unknown or of another partition goes to the dead letters with the reason', async () => {
    const bench = new WorkerBench()
    bench.connection('elsewhere', { partition: 3 })
    bench.send('elsewhere', 'm2')
    bench.take()
    await rest()
    bench.queue.ring(undefined, 0, 'kind: expected send or command')
    bench.queue.ring(sendTo('a', 'unknown'))
    bench.queue.ring(sendTo('elsewhere', 'm2'))
    await bench.clock.passTime(100)
    expect(bench.queue.rejected).toEqual([
      'r1: kind: expected send or command',
      'r2: there is no message unknown',
      'r3: its connection belongs to partition 3, not 0',
    ])
  })

  test('a send of a deleted connection fails, with the holder’s epoch', async () => {
    const bench = new WorkerBench()
    bench.take(0, 7)
    await rest()
    bench.send('gone', 'm1')
    bench.queue.ring(sendTo('gone', 'm1'))
    await rest()
    expect(bench.failed).toEqual(['wa-m1 connection_deleted at 7'])
    expect(bench.queue.finished).toHaveLength(1)
  })

  test('while a store is away a doorbell is tried again and in the end handed back, with those behind it', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.storesFail = true
    const receipts = [bench.queue.ring(sendTo('a', 'm1'))]
    await bench.clock.passTime(5_000)
    expect(bench.queue.finished).toEqual([])
    expect(bench.queue.handedBack).toEqual(receipts)
  })

  test('a slow command of one connection holds up nobody', async () => {
    const bench = new WorkerBench()
    bench.connection('slow')
    bench.connection('quick')
    bench.take()
    await rest()
    const session = bench.session('slow')
    session.command = () => new Promise(() => {})
    bench.queue.ring(commandTo('slow'))
    await rest()
    bench.send('quick', 'm1')
    const receipt = bench.queue.ring(sendTo('quick', 'm1'))
    await rest()
    expect(bench.queue.finished).toEqual([receipt])
  })

  test('a queue that is away is polled ever more slowly, and again when it is back', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.queue.fails = true
    bench.take()
    await bench.clock.passTime(60_000)
    expect(bench.queue.polls).toBeLessThan(12)
    bench.queue.fails = false
    await bench.clock.passTime(10_000)
    bench.send('a', 'm1')
    bench.queue.ring(sendTo('a', 'm1'))
    await rest()
    expect(bench.queue.finished).toHaveLength(1)
  })
})

describe('a bug in a session', () => {
  test('ends it and nothing else, and the connection soon has another', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.connection('b')
    bench.take()
    await rest()
    const [failing, other] = [bench.session('a'), bench.session('b')]
    const ended: unknown[] = []
    const policy = new UncaughtPolicy(
      () => bench.clock.monotonic(),
      (error) => ended.push(error),
    )
    failing.asItself(() => policy.uncaught(new Error('a bug')))
    expect(failing.did).toEqual(['start restore', 'terminate'])
    expect(other.did).toEqual(['start restore'])
    await bench.clock.passTime(5_000)
    expect(bench.session('a')).not.toBe(failing)
    expect(bench.session('a').did).toEqual(['start restore'])
    // What the ended one still says harms nobody.
    bench.lose()
    failing.asItself(() => policy.uncaught(new Error('another')))
    expect(ended).toEqual([])
  })
})

describe('letting go', () => {
  test('a lost partition is terminated before the call returns, and what its last poll brings is handed back', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    const session = bench.session('a')
    bench.lose()
    expect(session.did.at(-1)).toBe('terminate')
    bench.send('a', 'm1')
    const receipt = bench.queue.ring(sendTo('a', 'm1'))
    await rest()
    expect(session.did.at(-1)).toBe('terminate')
    expect(bench.queue.handedBack).toEqual([receipt])
    expect(bench.queue.finished).toEqual([])
  })

  test('a given partition: the last poll is awaited, then all sessions close side by side', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.connection('b')
    bench.take()
    await rest()
    let given = false
    void bench.worker.give(0).then(() => {
      given = true
    })
    await bench.clock.passTime(4_900)
    expect(bench.session('a').did).not.toContain('drain')
    // Still its owner's: what comes by the last poll is dealt with.
    bench.send('a', 'm1')
    bench.queue.ring(sendTo('a', 'm1'))
    await rest()
    expect(bench.queue.finished).toHaveLength(1)
    expect(bench.session('a').did.slice(-2)).toEqual(['enqueue m1', 'drain'])
    expect(bench.session('b').did.at(-1)).toBe('drain')
    expect(given).toBe(true)
    expect(bench.queue.polls).toBe(1)
  })

  test('a session that does not close in time is terminated', async () => {
    const bench = new WorkerBench({ doorbellWaitSeconds: 0, drainMs: 3_000 })
    bench.connection('a')
    bench.take()
    await rest()
    bench.session('a').drainsItself = false
    let given = false
    void bench.worker.give(0).then(() => {
      given = true
    })
    await bench.clock.passTime(6_000)
    expect(bench.session('a').did.slice(-2)).toEqual(['drain', 'terminate'])
    expect(given).toBe(true)
  })

  test('a partition that comes back starts anew', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take(0, 1)
    await rest()
    bench.lose()
    bench.take(0, 2)
    await rest()
    expect(bench.sessions.map((session) => session.holding.epoch)).toEqual([1, 2])
  })

  test('the session of a deleted connection is forgotten', async () => {
    const bench = new WorkerBench()
    bench.connection('a')
    bench.take()
    await rest()
    bench.session('a').end()
    await rest()
    expect(bench.counts).toEqual(['0:1', '0:0'])
    expect(bench.worker.connections).toBe(0)
  })
})
