import { describe, expect, it } from 'vitest'
import { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import { authStates } from '../../../connector/auth/auth-states.ts'
import type { JournalSettings } from '../../../connector/auth/journal.ts'
import type { AuthStates, Holding, Log } from '../../../connector/ports.ts'
import { type AuthCall, AuthTables, type Fate, modelAuthStore } from '../../simulation/models/auth.ts'
import { seeded, settle, VirtualClock } from './virtual-clock.ts'

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
const key = 'bp_1#con_1'
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log }
const answered: Fate = { kind: 'answered', afterMs: 3 }

function nothing(): void {}

function holdingOf(epoch: number): Holding & { lose(): void } {
  let held = true
  const lose = (): void => {
    held = false
  }
  return { partition: 0, epoch, held: () => held, fenced: lose, lose }
}

/** One worker's view of a shared store. */
class Bench {
  readonly clock = new VirtualClock()
  readonly tables = new AuthTables()
  fate: (call: AuthCall) => Fate = () => answered
  readonly calls: AuthCall[] = []
  seed = 1

  states(settings: Partial<JournalSettings> = {}): AuthStates {
    const fate = (call: AuthCall): Fate => {
      this.calls.push(call)
      return this.fate(call)
    }
    this.seed += 1
    return authStates({
      store: modelAuthStore(this.tables, { clock: this.clock, fate }),
      clock: this.clock,
      random: seeded(this.seed),
      log,
      newIdentity: () => ({}),
      settings,
    })
  }

  /** A linked state whose first snapshot is durable. */
  async linked(holding: Holding = holdingOf(1), settings: Partial<JournalSettings> = {}): Promise<ConnectionAuthState> {
    const created = await this.clock.run(this.states(settings).create(ref, holding))
    if (created.kind !== 'created') throw new Error(created.kind)
    const state = asState(created.state)
    link(state)
    await this.clock.run(state.durable())
    return state
  }

  async load(epoch: number, settings: Partial<JournalSettings> = {}): Promise<ConnectionAuthState> {
    const outcome = await this.clock.run(this.states(settings).load(ref, holdingOf(epoch)))
    if (outcome.kind !== 'loaded') throw new Error(`not loaded: ${outcome.kind}`)
    return asState(outcome.state)
  }

  entries(): number {
    return this.tables.journals.get(key)?.size ?? 0
  }
}

function asState(state: unknown): ConnectionAuthState {
  if (!(state instanceof ConnectionAuthState)) throw new Error('not ours')
  return state
}

function link(state: ConnectionAuthState): void {
  state.creds.me = { id: '1:1@s.whatsapp.net' }
  state.creds.account = { signature: Buffer.from([1]) }
  state.saveCreds()
}

function put(state: ConnectionAuthState, id: string, value: unknown): void {
  state.apply([{ type: 'session', id, value }])
}

describe('journal', () => {
  it('stores nothing before pairing succeeded; then a snapshot first', async () => {
    const bench = new Bench()
    const created = await bench.clock.run(bench.states().create(ref, holdingOf(1)))
    if (created.kind !== 'created') throw new Error(created.kind)
    const state = asState(created.state)
    put(state, 'a', 1)
    await bench.clock.run(state.durable())
    await bench.clock.pass(60_000)
    expect(bench.calls.filter((call) => call !== 'claim' && call !== 'readJournal')).toEqual([])
    link(state)
    expect(state.registered).toBe(true)
    await bench.clock.run(state.durable())
    expect(bench.calls.slice(-2)).toEqual(['writeSnapshot', 'commitSnapshot'])
    expect((await bench.load(2)).read('session', 'a')).toBe(1)
  })

  it('appends one at a time, each carrying all that changed meanwhile', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    bench.calls.length = 0
    put(state, 'a', 1)
    const first = state.durable()
    await settle()
    for (let n = 2; n <= 50; n += 1) put(state, `n${n}`, n)
    put(state, 'a', 2)
    const rest = [state.durable(), state.durable()]
    await bench.clock.run(first)
    await bench.clock.run(Promise.all(rest))
    expect(bench.calls).toEqual(['append', 'append'])
    const loaded = await bench.load(2)
    expect(loaded.read('session', 'a')).toBe(2)
    expect(loaded.read('session', 'n50')).toBe(50)
  })

  it('a change that nobody waits for is appended after a second', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    state.attempt('3EB0')
    state.attempt('3EB1')
    await bench.clock.run(state.durable())
    bench.calls.length = 0
    state.settled('3EB0')
    expect(state.clean).toBe(true)
    await bench.clock.pass(900)
    expect(bench.calls).toEqual([])
    await bench.clock.pass(200)
    expect(bench.calls).toEqual(['append'])
    expect((await bench.load(2)).attempted()).toEqual(new Set(['3EB1']))
  })

  it('what nobody waits for goes along with what somebody does, and is flushed at the end', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    state.attempt('3EB0')
    state.attempt('3EB1')
    await bench.clock.run(state.durable())
    bench.calls.length = 0
    state.settled('3EB0')
    put(state, 'a', 1)
    await bench.clock.run(state.durable())
    await bench.clock.pass(5_000)
    expect(bench.calls).toEqual(['append'])
    state.settled('3EB1')
    await bench.clock.run(state.close('flush'))
    expect(bench.calls).toEqual(['append', 'append'])
    expect((await bench.load(2)).attempted()).toEqual(new Set())
  })

  it('a store that fails holds up, loses nothing and is asked again with the same entry', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    bench.fate = () => ({ kind: 'lost', givesUpAfterMs: 50 })
    put(state, 'a', 1)
    let durable = false
    const waiting = state.durable().then(() => {
      durable = true
    })
    await bench.clock.pass(60_000)
    expect(durable).toBe(false)
    bench.fate = () => answered
    await bench.clock.run(waiting)
    expect((await bench.load(2)).read('session', 'a')).toBe(1)
  })

  it('an answer that got lost is found by the nonce', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    let lose = true
    bench.fate = (call) => {
      if (call !== 'append' || !lose) return answered
      lose = false
      return { kind: 'unanswered', arrivesAfterMs: 5, givesUpAfterMs: 20 }
    }
    put(state, 'a', 1)
    await bench.clock.run(state.durable())
    expect(bench.entries()).toBe(1)
  })

  it('a fenced writer never lands, ends its holding and rejects', async () => {
    const bench = new Bench()
    const holding = holdingOf(1)
    const state = await bench.linked(holding)
    const next = await bench.load(2)
    put(state, 'a', 'old owner')
    await expect(bench.clock.run(state.durable())).rejects.toMatchObject({ why: 'fenced' })
    expect(holding.held()).toBe(false)
    await expect(state.durable()).rejects.toMatchObject({ why: 'fenced' })
    expect(next.read('session', 'a')).toBeUndefined()
    expect((await bench.load(3)).read('session', 'a')).toBeUndefined()
  })

  it('writes nothing once the lease is over', async () => {
    const bench = new Bench()
    const holding = holdingOf(1)
    const state = await bench.linked(holding)
    bench.calls.length = 0
    holding.lose()
    put(state, 'a', 1)
    await expect(bench.clock.run(state.durable())).rejects.toMatchObject({ why: 'not_held' })
    expect(bench.calls).toEqual([])
  })

  it('an entry too large for an item becomes a snapshot', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    bench.calls.length = 0
    put(state, 'large', seededText(500_000))
    await bench.clock.run(state.durable())
    expect(bench.calls.filter((call) => call !== 'trimJournal')).toEqual(['writeSnapshot', 'commitSnapshot'])
    put(state, 'a', 1)
    await bench.clock.run(state.durable())
    const loaded = await bench.load(2)
    expect(loaded.read('session', 'large')).toBe(seededText(500_000))
    expect(loaded.read('session', 'a')).toBe(1)
  })

  it('compacts in the background while appends go on', async () => {
    const bench = new Bench()
    const settings = { compactEntries: 10 }
    const state = await bench.linked(holdingOf(1), settings)
    let objectStoreIsSlow = false
    bench.fate = (call) =>
      objectStoreIsSlow && call === 'writeSnapshot' ? { kind: 'answered', afterMs: 60_000 } : answered
    for (let n = 0; n < 100; n += 1) {
      objectStoreIsSlow = n === 10
      put(state, 'a', n)
      await bench.clock.run(state.durable())
    }
    expect(bench.clock.monotonic()).toBeLessThan(10_000)
    await bench.clock.pass(70_000)
    await bench.clock.run(state.close('flush'))
    const loaded = await bench.load(2, settings)
    expect(loaded.read('session', 'a')).toBe(99)
  })

  it('keeps the journal short: no more entries than two compactions’ worth', async () => {
    const bench = new Bench()
    const settings = { compactEntries: 10 }
    const state = await bench.linked(holdingOf(1), settings)
    for (let n = 0; n < 200; n += 1) {
      put(state, 'a', n)
      await bench.clock.run(state.durable())
      expect(bench.entries()).toBeLessThanOrEqual(30)
    }
  })

  it('a commit that lands after a later one points the head at nothing that is gone', async () => {
    const bench = new Bench()
    const settings = { compactEntries: 5 }
    const state = await bench.linked(holdingOf(1), settings)
    let late = true
    bench.fate = (call) => {
      if (call !== 'commitSnapshot' || !late) return answered
      late = false
      return { kind: 'unanswered', arrivesAfterMs: 150, givesUpAfterMs: 10 }
    }
    for (let n = 0; n < 14; n += 1) {
      put(state, `k${n}`, n)
      await bench.clock.run(state.durable())
    }
    await bench.clock.pass(10_000)
    const loaded = await bench.load(2, settings)
    for (let n = 0; n < 14; n += 1) expect(loaded.read('session', `k${n}`)).toBe(n)
  })
})

it('an entry of its own that was given up and lands after a reload ends the journal; reading anew finds it', async () => {
  const bench = new Bench()
  const states = bench.states()
  const holding = holdingOf(1)
  const created = await bench.clock.run(states.create(ref, holding))
  if (created.kind !== 'created') throw new Error(created.kind)
  const first = asState(created.state)
  link(first)
  await bench.clock.run(first.durable())
  const reload = async (): Promise<ConnectionAuthState> => {
    const outcome = await bench.clock.run(states.load(ref, holding))
    if (outcome.kind !== 'loaded') throw new Error(outcome.kind)
    return asState(outcome.state)
  }

  bench.fate = (call) =>
    call === 'append' ? { kind: 'unanswered', arrivesAfterMs: 500, givesUpAfterMs: 20 } : answered
  put(first, 'a', 'late')
  first.durable().catch(nothing)
  await settle()
  void first.close('abandon')
  const second = await reload()
  expect(second.read('session', 'a')).toBeUndefined()
  await bench.clock.pass(1_000)
  bench.fate = () => answered
  put(second, 'b', 'never left')
  await expect(bench.clock.run(second.durable())).rejects.toMatchObject({ why: 'conflict' })
  expect(holding.held()).toBe(true)

  const third = await reload()
  expect(third.read('session', 'a')).toBe('late')
  expect(third.read('session', 'b')).toBeUndefined()
  put(third, 'c', 1)
  await bench.clock.run(third.durable())
})

describe('load', () => {
  it('tells never linked, archived, missing and unreadable apart', async () => {
    const bench = new Bench()
    const load = (epoch: number) => bench.clock.run(bench.states().load(ref, holdingOf(epoch)))
    expect(await load(1)).toEqual({ kind: 'none' })
    const state = await bench.linked(holdingOf(2))
    await bench.clock.run(state.close('flush'))
    expect((await load(3)).kind).toBe('loaded')

    const head = bench.tables.heads.get(key)!
    bench.tables.heads.set(key, { epoch: head.epoch, identity: 'linked' })
    expect(await load(4)).toEqual({ kind: 'missing' })
    bench.tables.heads.set(key, head)
    const object = bench.tables.objects.get(head.snapshot!.key)!
    bench.tables.objects.set(
      head.snapshot!.key,
      object.map((byte) => byte ^ 1),
    )
    expect(await load(5)).toMatchObject({ kind: 'unreadable' })
    expect(bench.tables.objects.size).toBe(1)
    bench.tables.objects.set(head.snapshot!.key, object)
    expect((await load(6)).kind).toBe('loaded')

    await bench.clock.run(bench.states().archive(ref, holdingOf(6)))
    expect(await load(7)).toEqual({ kind: 'archived' })
    expect(await load(3)).toEqual({ kind: 'fenced' })
  })

  it('a transient store error rejects: it is never taken for an empty state', async () => {
    const bench = new Bench()
    await bench.linked()
    for (const failing of ['claim', 'readJournal', 'readSnapshot'] as const) {
      bench.fate = (call) => (call === failing ? { kind: 'lost', givesUpAfterMs: 10 } : answered)
      await expect(bench.clock.run(bench.states().load(ref, holdingOf(2)))).rejects.toThrow('no answer')
    }
  })

  it('takes the snapshot before and all entries since, where the newest is damaged', async () => {
    const bench = new Bench()
    const settings = { compactEntries: 5 }
    const state = await bench.linked(holdingOf(1), settings)
    for (let n = 0; n < 23; n += 1) {
      put(state, `k${n}`, n)
      await bench.clock.run(state.durable())
    }
    await bench.clock.run(state.close('flush'))
    const { snapshot } = bench.tables.heads.get(key)!
    bench.tables.objects.delete(snapshot!.key)
    const loaded = await bench.load(2, settings)
    for (let n = 0; n < 23; n += 1) expect(loaded.read('session', `k${n}`)).toBe(n)
  })

  it('a gap in the journal is unreadable', async () => {
    const bench = new Bench()
    const state = await bench.linked()
    for (let n = 0; n < 3; n += 1) {
      put(state, 'a', n)
      await bench.clock.run(state.durable())
    }
    const journal = bench.tables.journals.get(key)!
    journal.delete([...journal.keys()][1]!)
    expect(await bench.clock.run(bench.states().load(ref, holdingOf(2)))).toMatchObject({ kind: 'unreadable' })
  })

  it('a new identity never sees an entry of the one before', async () => {
    const bench = new Bench()
    const first = await bench.linked(holdingOf(1))
    put(first, 'old', 'secret of the first')
    await bench.clock.run(first.durable())
    const second = await bench.linked(holdingOf(2))
    put(second, 'new', 1)
    await bench.clock.run(second.durable())
    const loaded = await bench.load(3)
    expect(loaded.read('session', 'old')).toBeUndefined()
    expect(loaded.read('session', 'new')).toBe(1)
  })

  it('waits for what this worker’s last journal of the connection has under way', async () => {
    const bench = new Bench()
    const states = bench.states()
    const holding = holdingOf(1)
    const created = await bench.clock.run(states.create(ref, holding))
    if (created.kind !== 'created') throw new Error(created.kind)
    const state = asState(created.state)
    link(state)
    await bench.clock.run(state.durable())
    bench.fate = (call) => (call === 'append' ? { kind: 'answered', afterMs: 500 } : answered)
    put(state, 'a', 1)
    state.durable().catch(nothing)
    await settle()
    void state.close('abandon')
    const outcome = await bench.clock.run(states.load(ref, holding))
    if (outcome.kind !== 'loaded') throw new Error(outcome.kind)
    expect(asState(outcome.state).read('session', 'a')).toBe(1)
  })
})

describe.each(Array.from({ length: 60 }, (_, index) => index + 1))('with faults, seed %i', (seed) => {
  it('after a crash at any moment: all that was durable, nothing torn apart, nothing of a fenced writer', async () => {
    const bench = new Bench()
    bench.seed = seed * 1_000
    const random = seeded(seed)
    const settings = { compactEntries: 7, lingerMs: 200 }
    const faulty = (): Fate => {
      const luck = random.next()
      if (luck < 0.7) return { kind: 'answered', afterMs: Math.floor(random.next() * 40) }
      if (luck < 0.8) return { kind: 'lost', givesUpAfterMs: 60 }
      return { kind: 'unanswered', arrivesAfterMs: Math.floor(random.next() * 400), givesUpAfterMs: 60 }
    }
    let state = await bench.linked(holdingOf(1), settings)
    bench.fate = faulty
    let written = 0
    let known = 0
    for (let epoch = 1; epoch <= 8; epoch += 1) {
      const floor = known
      for (let turn = 0; turn < 25; turn += 1) {
        written += 1
        // Two records that belong together: neither may ever be seen without the other.
        state.apply([
          { type: 'session', id: 'left', value: written },
          { type: 'session', id: 'right', value: written },
        ])
        const value = written
        void state.durable().then(() => {
          known = Math.max(known, value)
        }, nothing)
        const steps = Math.floor(random.next() * 4)
        for (let step = 0; step < steps; step += 1) await bench.clock.step()
      }
      expect(known).toBeGreaterThanOrEqual(floor)
      // The old worker is not told: it goes on while the new one loads, until its writes are refused.
      const before = state
      const next = bench.states(settings)
      let outcome = await bench.clock.run(next.load(ref, holdingOf(epoch + 1)).catch(() => undefined))
      while (outcome === undefined) {
        outcome = await bench.clock.run(next.load(ref, holdingOf(epoch + 1)).catch(() => undefined))
      }
      if (outcome.kind !== 'loaded') throw new Error(`not loaded: ${outcome.kind}`)
      state = asState(outcome.state)
      const left = (state.read('session', 'left') ?? 0) as number
      expect(state.read('session', 'right') ?? 0).toBe(left)
      expect(left).toBeGreaterThanOrEqual(known)
      expect(left).toBeLessThanOrEqual(written)
      before.apply([{ type: 'session', id: 'left', value: -1 }])
      before.durable().catch(nothing)
    }
    const epochs = bench.tables.landed.map(({ epoch }) => epoch)
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
    bench.fate = () => answered
    await bench.clock.run(state.durable())
  })
})

/** Does not compress. */
function seededText(length: number): string {
  const random = seeded(7)
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random.next() * 90))).join('')
}
