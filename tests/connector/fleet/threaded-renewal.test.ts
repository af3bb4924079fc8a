import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { LeaseGuard } from '../../../connector/fleet/lease-guard.ts'
import type { Renewal } from '../../../connector/fleet/renewal.ts'
import { threadedRenewal } from '../../../connector/fleet/threaded-renewal.ts'
import { processClock } from '../../../connector/process-clock.ts'

const terms = { leaseMs: 1_500, marginMs: 300, renewMs: 200 }

describe('the renewing thread', () => {
  let renewal: Renewal | undefined
  afterEach(() => renewal?.stop())

  function start() {
    const shared = new SharedArrayBuffer(8)
    const slots = new Int32Array(shared)
    const started = threadedRenewal({
      workerId: 'a',
      terms,
      load: { connections: 0, state: 'live' },
      storeModule: new URL('./threads/counting-store.ts', import.meta.url),
      storeSettings: { shared },
    })
    renewal = started
    const beatsUntil = async (come: () => boolean) => {
      while (!come()) {
        started.beat()
        await delay(20)
      }
    }
    return {
      renewal: started,
      slots,
      counter: () => Atomics.load(slots, 0),
      /** Blocks this thread, as a long computation would. */
      blockFor: (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
      /** Beats until the counter was raised to that. */
      until: (counter: number) => beatsUntil(() => Atomics.load(slots, 0) >= counter),
      beatsUntil,
    }
  }

  test('renews while the main thread beats, and the newest stamp is read here', async () => {
    const { renewal, until } = start()
    const startedAt = processClock.monotonic()
    await until(3)
    const confirmed = renewal.confirmed()
    expect(confirmed?.monotonic).toBeGreaterThan(startedAt)
    expect(confirmed?.monotonic).toBeLessThanOrEqual(processClock.monotonic())
    expect(Math.abs((confirmed?.wall ?? 0) - Date.now())).toBeLessThan(5_000)
  })

  test('goes on while the main thread computes for less than a renewal period at a time', async () => {
    const { until, counter, blockFor, renewal } = start()
    await until(2)
    const before = counter()
    // This thread's event loop stands still all the while.
    while (counter() < before + 3) {
      renewal.beat()
      blockFor(terms.renewMs / 2)
    }
  })

  test('stops when the main thread hangs, and the lease is over when it wakes', async () => {
    const { until, beatsUntil, counter, blockFor, renewal } = start()
    const guard = new LeaseGuard(processClock, terms, () => renewal.confirmed())
    await beatsUntil(() => guard.valid())
    renewal.beat()
    // One renewal may be due within the period after the last beat; after that none.
    blockFor(terms.leaseMs)
    const whileFrozen = counter()
    blockFor(terms.leaseMs)
    expect(counter()).toBe(whileFrozen)
    expect(guard.valid()).toBe(false)
    await until(whileFrozen + 1)
  })

  test('tells when the fleet declared the worker dead, and renews no more', async () => {
    const { until, counter, slots, renewal } = start()
    await until(2)
    Atomics.store(slots, 1, 1)
    const beating = setInterval(() => renewal.beat(), 20)
    expect(await renewal.ended).toEqual({ kind: 'dead' })
    Atomics.store(slots, 1, 0)
    const last = counter()
    await delay(3 * terms.renewMs)
    clearInterval(beating)
    expect(counter()).toBe(last)
  })

  test('a thread that cannot start is told with its error', async () => {
    renewal = threadedRenewal({
      workerId: 'a',
      terms,
      load: { connections: 0, state: 'live' },
      storeModule: new URL('./threads/no-such-store.ts', import.meta.url),
      storeSettings: {},
    })
    expect(await renewal.ended).toMatchObject({ kind: 'broken' })
  })
})

test('a process stopped beyond its lease holds nothing at the first look after it goes on', async () => {
  const child = spawn(process.execPath, ['tests/connector/fleet/threads/holder.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const lines: string[] = []
    const reader = createInterface(child.stdout)
    reader.on('line', (line) => lines.push(line))
    const [first] = (await once(reader, 'line')) as [string]
    expect(first).toBe('held')
    child.kill('SIGSTOP')
    await delay(2_000)
    // What it wrote before it was stopped is read by now.
    const before = lines.length
    expect(lines.every((line) => line === 'held')).toBe(true)
    child.kill('SIGCONT')
    while (lines.length < before + 3) await once(reader, 'line')
    expect(lines.slice(before)).toEqual(lines.slice(before).map(() => 'lost'))
  } finally {
    child.kill('SIGKILL')
  }
})
