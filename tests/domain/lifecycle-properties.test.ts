import fc from 'fast-check'
import { expect, test } from 'vitest'
import { transition } from '../../shared/domain/lifecycle.ts'
import {
  type Circumstances,
  dueAt,
  type Effect,
  initialState,
  type LifecycleEvent,
  type LifecycleState,
} from '../../shared/domain/lifecycle-state.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'

const settings = {
  backoffBaseMs: 5_000,
  backoffAttemptsMax: 5,
  backoffJitter: 0.2,
  stableAfterMs: 60_000,
  slowLaneMs: 900_000,
  wakeGapMs: 60_000,
  openTimeoutMs: 20_000,
  quarantineMs: 900_000,
}
const row: ConnectionRow = {
  businessProfileId: 'bp_1',
  connectionId: 'con_1',
  status: 'connected',
  reason: 'open',
  message: '',
  label: 'Primary Device',
  pairing: 'qr',
  partition: 0,
  epoch: 0,
  version: 1,
  createdAt: '',
  updatedAt: '',
  linkedAt: '2026-01-01T00:00:00.000Z',
}

/** What may happen next, given what was asked for: the answers of a world without manners, but with causality. */
type Happening =
  | {
      readonly kind:
        | 'granted'
        | 'prepared'
        | 'opened'
        | 'due'
        | 'send'
        | 'recovered'
        | 'storage_failed'
        | 'qr'
        | 'paired'
    }
  | { readonly kind: 'closed'; readonly code: number }
  | { readonly kind: 'command'; readonly command: 'pair' | 'restart' | 'logout' | 'delete' }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('granted', 'prepared', 'opened', 'due', 'send', 'recovered', 'storage_failed', 'qr', 'paired')
      .map((kind) => ({ kind }) as Happening),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(408, 428, 503, 500, 515, 440, 405, 409, 401, 403, 411)
      .map((code) => ({ kind: 'closed', code }) as Happening),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('pair', 'restart', 'logout', 'delete')
      .map((command) => ({ kind: 'command', command }) as Happening),
  },
)

const step = fc.record({
  happening,
  passesMs: fc.integer({ min: 0, max: 120_000 }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  outage: fc.boolean(),
})

interface Seen {
  readonly event: LifecycleEvent
  readonly before: LifecycleState
  readonly after: LifecycleState
  readonly effects: readonly Effect[]
  readonly now: number
}

/** Plays a story, and shows each step to the claims. */
function play(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[], claim: (seen: Seen) => void) {
  let state = initialState
  let now = Date.UTC(2026, 0, 31)
  let commands = 0
  let sockets = 0
  const happen = (event: LifecycleEvent, circumstances: Partial<Circumstances>) => {
    const before = state
    const result = transition(state, event, {
      now,
      random: 0,
      settings,
      outage: false,
      held: true,
      sendsWaiting: false,
      owner: { workerId: 'w1', epoch: 1 },
      ...circumstances,
    })
    state = result.state
    for (const effect of result.effects) {
      if (effect.kind === 'terminate_socket') sockets = 0
      if (effect.kind === 'open_socket') {
        // One at a time: the last one ended, or was terminated before this.
        expect(sockets).toBe(0)
        sockets += 1
      }
    }
    claim({ event, before, after: state, effects: result.effects, now })
  }
  happen({ kind: 'start', row, lane: 'restore' }, {})
  for (const { happening: what, passesMs, random, outage } of steps) {
    now += passesMs
    const { phase } = state
    const circumstances = { random, outage }
    switch (what.kind) {
      case 'granted':
        if (phase.kind === 'waiting_for_login') happen({ kind: 'login_granted' }, circumstances)
        break
      case 'prepared':
        if (phase.kind === 'opening' && phase.stage === 'preparing') {
          happen({ kind: 'prepared', registered: state.identity === 'linked' }, circumstances)
        }
        break
      case 'storage_failed':
        if (phase.kind === 'opening' && phase.stage === 'preparing') {
          happen({ kind: 'storage_failed', detail: '' }, circumstances)
        }
        break
      case 'opened':
        if (sockets > 0 && phase.kind === 'opening' && state.identity === 'linked') {
          happen({ kind: 'opened', jid: 'j' }, circumstances)
        }
        break
      case 'qr':
        if (sockets > 0 && state.pairing !== undefined) happen({ kind: 'qr', text: 'q', expiresInMs: 1 }, circumstances)
        break
      case 'paired':
        if (sockets > 0 && phase.kind === 'pairing' && !phase.paired) {
          happen({ kind: 'paired', jid: 'j', phoneNumber: '+94714515253' }, circumstances)
        }
        break
      case 'closed':
        if (sockets === 0) break
        sockets = 0
        happen(
          {
            kind: 'closed',
            end: { statusCode: what.code, phase: phase.kind === 'pairing' ? 'pairing' : 'open', detail: '' },
          },
          circumstances,
        )
        break
      case 'due': {
        const due = dueAt(state)
        if (due === undefined) break
        now = Math.max(now, due)
        happen({ kind: 'due' }, circumstances)
        break
      }
      case 'send':
        happen({ kind: 'send_waiting' }, circumstances)
        break
      case 'recovered':
        happen({ kind: 'recovered' }, circumstances)
        break
      case 'command':
        commands += 1
        happen(
          {
            kind: 'command',
            command: { commandId: `c${commands}`, kind: what.command, requestedAt: '' },
            row,
          },
          circumstances,
        )
        break
    }
  }
}

const stories = fc.array(step, { maxLength: 120 })
const runs = { numRuns: 1_500 }

test('at most one socket at a time, at most five attempts in a row', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      play(steps, ({ after }) => {
        expect(after.failures).toBeLessThanOrEqual(5)
        expect(after.shown.attempt ?? 1).toBeLessThanOrEqual(5)
      })
    }),
    runs,
  )
})

test('a logged-out connection opens no socket until somebody asks to pair', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      let loggedOut = false
      play(steps, ({ event, after, effects }) => {
        if (event.kind === 'command' && event.command.kind === 'pair') loggedOut = false
        if (loggedOut) for (const effect of effects) expect(effect.kind).not.toBe('open_socket')
        if (after.shown.reason === 'logged_out' && after.phase.kind === 'stopped') loggedOut = true
      })
    }),
    runs,
  )
})

test('auth state is archived only by a logout, or where its device was never linked to its end', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      play(steps, ({ effects, before, after }) => {
        if (!effects.some(({ kind }) => kind === 'archive_auth')) return
        expect(['logged_out', ...(before.everLinked ? [] : ['pairing_requested'])]).toContain(after.shown.reason)
      })
    }),
    runs,
  )
})

test('a new identity is made only after an explicit pairing', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      let asked = false
      play(steps, ({ event, effects }) => {
        if (event.kind === 'command' && event.command.kind === 'pair') asked = true
        for (const effect of effects) {
          if (effect.kind === 'prepare' && effect.identity !== 'stored') expect(asked).toBe(true)
        }
      })
    }),
    runs,
  )
})

test('the wait of a backoff is never shorter than the series, nor longer than its jitter', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      play(steps, ({ before, after, now }) => {
        if (after.phase.kind !== 'backoff' || after.phase === before.phase || after.readFailures > before.readFailures)
          return
        const series = 5_000 * 2 ** ((after.shown.attempt ?? 1) - 1)
        expect(after.phase.dueAt - now).toBeGreaterThanOrEqual(series)
        expect(after.phase.dueAt - now).toBeLessThanOrEqual(series * 1.2)
      })
    }),
    runs,
  )
})

test('out of the slow lane there is at most one try a minute', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      let last = Number.NEGATIVE_INFINITY
      play(steps, ({ event, before, after, now }) => {
        if (before.phase.kind !== 'slow_lane' || after.phase.kind !== 'waiting_for_login') return
        if (event.kind === 'command' && event.command.kind !== 'restart') return
        expect(now - last).toBeGreaterThanOrEqual(60_000)
        last = now
      })
    }),
    runs,
  )
})

test('no state is a dead end: what is linked and not stopped has a deadline or waits for a login', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      play(steps, ({ after }) => {
        const { phase } = after
        const alive =
          dueAt(after) !== undefined ||
          ['waiting_for_login', 'open', 'stopped', 'ended'].includes(phase.kind) ||
          // A person scans, or WhatsApp ends the codes.
          (phase.kind === 'pairing' && !phase.paired)
        expect(alive, phase.kind).toBe(true)
      })
    }),
    runs,
  )
})

test('a permit of the login limiter is always given back, and never twice', () => {
  fc.assert(
    fc.property(stories, (steps) => {
      let permits = 0
      play(steps, ({ event, after, effects }) => {
        if (event.kind === 'login_granted') permits += 1
        for (const effect of effects) if (effect.kind === 'give_back_login') permits -= 1
        expect(permits).toBe(after.phase.kind === 'opening' ? 1 : 0)
      })
    }),
    runs,
  )
})
