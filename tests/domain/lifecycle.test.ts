import { describe, expect, test } from 'vitest'
import { type ConnectionEnd, classify, type EndCause, endCauses } from '../../shared/domain/disconnect.ts'
import { transition } from '../../shared/domain/lifecycle.ts'
import { shownOf } from '../../shared/domain/lifecycle-doc.ts'
import {
  type Circumstances,
  dueAt,
  type Effect,
  initialState,
  type LifecycleEvent,
  type LifecycleState,
} from '../../shared/domain/lifecycle-state.ts'
import { iso } from '../../shared/domain/lifecycle-steps.ts'
import { endRules } from '../../shared/domain/lifecycle-table.ts'
import { statusText } from '../../shared/domain/status-text.ts'
import type { ConnectionChange, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import { type CommandKind, connectionReasons } from '../../shared/domain/words.ts'

const now = Date.UTC(2026, 0, 31, 12)
const circumstances: Circumstances = {
  now,
  random: 0,
  settings: {
    backoffBaseMs: 5_000,
    backoffAttemptsMax: 5,
    backoffJitter: 0,
    stableAfterMs: 60_000,
    slowLaneMs: 900_000,
    wakeGapMs: 60_000,
    openTimeoutMs: 20_000,
    quarantineMs: 900_000,
  },
  outage: false,
  held: true,
  sendsWaiting: false,
  owner: { workerId: 'w1', epoch: 1 },
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

/** One end for each cause, as it is told on the wire. */
const endOf: Readonly<Record<EndCause, Partial<ConnectionEnd>>> = {
  restart_required: { statusCode: 515 },
  connection_lost: { statusCode: 408 },
  connection_closed: { statusCode: 428 },
  service_unavailable: { statusCode: 503 },
  stream_error: { statusCode: 500 },
  upgrade_refused: { upgradeStatus: 429 },
  open_timeout: { intent: 'watchdog' },
  liveness_failed: { intent: 'liveness' },
  replaced: { statusCode: 440 },
  client_outdated: { statusCode: 405 },
  logged_out: { statusCode: 401 },
  forbidden: { statusCode: 403 },
  unsupported_account: { statusCode: 411 },
  qr_ran_out: { qrRanOut: true },
  pairing_refused: { statusCode: 401, phase: 'pairing' },
  closed_by_us: { intent: 'closed_by_us' },
  ownership_lost: { intent: 'lease' },
  unknown: { statusCode: 409 },
}

function run(state: LifecycleState, ...events: readonly (LifecycleEvent | [LifecycleEvent, Partial<Circumstances>])[]) {
  let effects: readonly Effect[] = []
  for (const step of events) {
    const [event, change] = Array.isArray(step) ? step : [step, {}]
    ;({ state, effects } = transition(state, event, { ...circumstances, ...change }))
  }
  return { state, effects }
}

const granted: readonly LifecycleEvent[] = [{ kind: 'login_granted' }, { kind: 'prepared', registered: true }]
const opened: LifecycleEvent = { kind: 'opened', jid: 'j' }
const open = run(initialState, { kind: 'start', row, lane: 'restore' }, ...granted, opened).state
const closed = (cause: EndCause): LifecycleEvent => ({
  kind: 'closed',
  end: { phase: 'open', detail: '', ...endOf[cause] },
})
const command = (kind: CommandKind): LifecycleEvent => ({
  kind: 'command',
  command: { commandId: 'c1', kind, requestedAt: '' },
  row,
})
const written = (effects: readonly Effect[]): ConnectionChange =>
  Object.assign({}, ...effects.flatMap((effect) => (effect.kind === 'write' ? [effect.change] : [])))
const kinds = (effects: readonly Effect[]) => effects.map(({ kind }) => kind)

describe('each row of the table', () => {
  test.each(endCauses)('%s is told by its end', (cause) => {
    expect(classify({ phase: 'open', detail: '', ...endOf[cause] })).toBe(cause)
  })

  test.each(endCauses.map((cause) => [cause, endRules[cause].next.kind] as const))('%s: %s', (cause, kind) => {
    const { state, effects } = run(open, closed(cause))
    const change = written(effects)
    const [shows] = shownOf(endRules[cause])
    if (shows !== undefined) {
      expect(change).toMatchObject({ ...shows, message: statusText(shows.reason), remedy: shows.remedy ?? null })
      expect(state.shown).toMatchObject(shows)
    }
    switch (kind) {
      case 'at_once':
        expect(change.status).toBeUndefined()
        expect(state.phase.kind).toBe('waiting_for_login')
        expect(state.failures).toBe(0)
        break
      case 'backoff':
      case 'yield':
        expect(state.phase).toEqual({ kind: 'backoff', try: 'attempt', dueAt: now + 5_000 })
        expect(change).toMatchObject({ attempt: 1, maxAttempts: 5, nextAttemptAt: '2026-01-31T12:00:05.000Z' })
        break
      case 'stop':
        expect(state.phase.kind).toBe('stopped')
        expect(kinds(effects)).toContain(cause === 'logged_out' ? 'archive_auth' : 'release_auth')
        break
      case 'let_go':
        // Held all the same: treated as a lost connection, with auth state read anew.
        expect(state.shown.reason).toBe('connection_lost')
        expect(kinds(effects)).toContain('release_auth')
        break
    }
    // Being replaced alarms when it stops the connection: at the third time.
    expect(kinds(effects).includes('alarm')).toBe(endRules[cause].alarm && cause !== 'replaced')
  })

  test.each(endCauses)('%s after the ownership was lost lets go and writes nothing', (cause) => {
    const { state, effects } = run(open, [closed(cause), { held: false }])
    expect(state.phase.kind).toBe('ended')
    expect(kinds(effects)).not.toContain('write')
    expect(kinds(effects)).not.toContain('archive_auth')
  })

  test.each(
    endCauses.filter((cause) => endRules[cause].next.kind === 'backoff'),
  )('%s: five attempts, then what the table says', (cause) => {
    let { state } = run(open, closed(cause))
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect(state.phase.kind).toBe('backoff')
      expect(state.shown.attempt).toBe(attempt)
      ;({ state } = run(state, { kind: 'due' }, ...granted, closed(cause)))
    }
    const { next } = endRules[cause]
    if (next.kind !== 'backoff') throw new Error('not a backoff')
    expect(state.phase.kind).toBe(next.afterwards === 'slow_lane' ? 'slow_lane' : 'stopped')
    expect(state.shown).toMatchObject(next.exhausted)
  })

  test('every reason has a sentence', () => {
    for (const reason of connectionReasons) expect(statusText(reason)).toMatch(/^[A-Z].*\.$/)
    expect(statusText('unknown_failure', 'code 409')).toMatch(/\(code 409\)\.$/)
  })
})

describe('attempts', () => {
  test('are forgotten after 60 s of an open socket, not before', () => {
    const { state: reopened } = run(open, closed('connection_closed'), { kind: 'due' }, ...granted, opened)
    expect(reopened.phase).toMatchObject({ kind: 'open', dueAt: now + 60_000 })
    expect(run(reopened, closed('connection_closed')).state.shown.attempt).toBe(2)
    expect(run(reopened, { kind: 'due' }, closed('connection_closed')).state.shown.attempt).toBe(1)
  })

  test('are not spent by an outage, which holds the connection instead', () => {
    const held = run(open, [closed('service_unavailable'), { outage: true }])
    expect(held.state.phase).toMatchObject({ kind: 'waiting_for_login', try: 'held' })
    expect(written(held.effects)).toMatchObject({ status: 'reconnecting', reason: 'outage' })
    let { state } = held
    for (let n = 0; n < 20; n += 1) {
      ;({ state } = run(state, ...granted, [closed('service_unavailable'), { outage: true }]))
    }
    expect(state.failures).toBe(0)
    expect(state.phase).toMatchObject({ kind: 'waiting_for_login', try: 'held' })
  })

  test('that fail in an outage are not counted', () => {
    const { state } = run(open, closed('connection_lost'), { kind: 'due' }, ...granted, [
      closed('connection_lost'),
      { outage: true },
    ])
    expect(state.failures).toBe(0)
  })

  test('go on where the last owner was', () => {
    const { state } = run(initialState, {
      kind: 'start',
      row: { ...row, status: 'reconnecting', reason: 'connection_lost', attempt: 4 },
      lane: 'restore',
    })
    expect(run(state, ...granted, closed('connection_lost')).state.shown.attempt).toBe(4)
  })

  test('a fourth 515 in a row is an error like any other', () => {
    let { state } = run(open, closed('restart_required'))
    for (let n = 0; n < 2; n += 1) ({ state } = run(state, ...granted, closed('restart_required')))
    expect(state.phase.kind).toBe('waiting_for_login')
    ;({ state } = run(state, ...granted, closed('restart_required')))
    expect(state.shown).toMatchObject({ reason: 'stream_error', attempt: 1 })
  })
})

describe('when WhatsApp answers again', () => {
  test('nobody sits out a wait that the outage gave', () => {
    const waiting = run(open, closed('connection_lost')).state
    const { effects } = run(waiting, [{ kind: 'recovered' }, { outage: true }])
    expect(kinds(effects)).toEqual(['request_login'])
  })

  test.each(['replaced', 'client_outdated', 'unknown'] as const)('what ended as %s does', (cause) => {
    const waiting = run(open, closed(cause)).state
    expect(run(waiting, [{ kind: 'recovered' }, { outage: true }]).effects).toEqual([])
  })

  test('without an outage of many the series stands, and only the slow lane is woken', () => {
    const waiting = run(open, closed('connection_lost')).state
    expect(run(waiting, { kind: 'recovered' }).effects).toEqual([])
  })
})

describe('a wake', () => {
  const slow = run(initialState, {
    kind: 'start',
    row: { ...row, status: 'disconnected', reason: 'retries_exhausted' },
    lane: 'restore',
  }).state

  test('shows nothing unless it succeeds', () => {
    const failed = run(slow, ...granted, closed('connection_lost'))
    expect(failed.state.phase).toMatchObject({ kind: 'slow_lane', dueAt: now + 900_000 })
    expect(written(failed.effects).status).toBeUndefined()
    expect(run(slow, ...granted, opened).state.shown.status).toBe('connected')
  })

  test('is put off when the last one was less than a minute ago', () => {
    const failed = run(slow, ...granted, closed('connection_lost')).state
    const early = run(failed, [{ kind: 'send_waiting' }, { now: now + 10_000 }])
    expect(early.state.phase).toMatchObject({ kind: 'slow_lane', lane: 'on_demand', dueAt: now + 60_000 })
    const due = run(early.state, [{ kind: 'due' }, { now: now + 60_000 }])
    expect(due.effects).toContainEqual({ kind: 'request_login', lane: 'on_demand' })
  })

  test('that finds the device logged out stops', () => {
    expect(run(slow, ...granted, closed('logged_out')).state.shown.reason).toBe('logged_out')
  })
})

describe('commands', () => {
  const phases: Readonly<Record<string, LifecycleState>> = {
    waiting_for_login: run(initialState, { kind: 'start', row, lane: 'restore' }).state,
    preparing: run(initialState, { kind: 'start', row, lane: 'restore' }, { kind: 'login_granted' }).state,
    opening: run(initialState, { kind: 'start', row, lane: 'restore' }, ...granted).state,
    open,
    backoff: run(open, closed('connection_lost')).state,
    closing: run(open, command('restart')).state,
    stopped: run(open, closed('forbidden')).state,
    logged_out: run(open, closed('logged_out')).state,
    pairing: run(
      run(open, closed('logged_out')).state,
      command('pair'),
      { kind: 'login_granted' },
      { kind: 'prepared', registered: false },
      { kind: 'qr', text: 'q', expiresInMs: 60_000 },
    ).state,
  }
  const states = Object.entries(phases)

  test.each(states)('delete while %s ends with everything gone', (_name, state) => {
    const way = run(state, command('delete'))
    const { effects } =
      way.state.phase.kind === 'ended' ? way : run(way.state, [{ kind: 'due' }, { now: now + 60_000 }])
    const done = kinds(effects).includes('delete_everything')
      ? kinds(effects)
      : kinds(run(way.state, ...granted, opened, { kind: 'logout_done' }).effects)
    expect(done).toContain('delete_everything')
  })

  test.each(states)('logout while %s ends logged out, and handled', (_name, state) => {
    let result = run(state, command('logout'))
    if (result.state.phase.kind !== 'stopped') result = run(result.state, { kind: 'due' })
    if (result.state.phase.kind !== 'stopped') result = run(result.state, { kind: 'due' })
    expect(result.state.phase.kind).toBe('stopped')
    expect(result.state.shown.reason).toBe('logged_out')
    expect(written(result.effects)).toMatchObject({ status: 'disconnected', handledCommandId: 'c1' })
  })

  test.each(states.filter(([name]) => name !== 'closing'))('restart while %s is handled', (_name, state) => {
    const { effects } = run(state, command('restart'))
    expect(written(effects).handledCommandId).toBe('c1')
  })

  test('pairing a connection whose device is linked and alive leaves its identity alone', () => {
    for (const name of ['open', 'backoff', 'opening', 'waiting_for_login'] as const) {
      const { state, effects } = run(phases[name] as LifecycleState, command('pair'))
      expect(state.identity).toBe('linked')
      expect(kinds(effects)).toEqual(['write', 'log'])
    }
  })

  test('pairing a logged-out connection makes a new identity', () => {
    const { effects } = run(phases.logged_out as LifecycleState, command('pair'), { kind: 'login_granted' })
    expect(effects).toContainEqual({ kind: 'prepare', identity: 'new' })
  })

  test('nothing but a pairing does', () => {
    for (const [, state] of states.filter(([name]) => name !== 'pairing')) {
      for (const event of [command('restart'), { kind: 'due' }, { kind: 'send_waiting' }] as const) {
        const { effects } = run(state, event, { kind: 'login_granted' })
        expect(effects).not.toContainEqual({ kind: 'prepare', identity: 'new' })
      }
    }
  })
})

describe('quarantine', () => {
  const opening = { workerId: 'w0', epoch: 0 }
  const begin = (of: Partial<ConnectionRow>) =>
    run(initialState, { kind: 'start', row: { ...row, ...of }, lane: 'restore' })
  const requested = (effects: readonly Effect[]) => effects.find(({ kind }) => kind === 'request_login')
  const third = begin({ openingCrashes: 2, opening })
  const until = iso(now + 900_000)
  const resting: Partial<ConnectionRow> = {
    status: 'disconnected',
    reason: 'quarantined',
    openingCrashes: 3,
    nextAttemptAt: until,
  }

  test.each([
    ['the first crash', undefined, 1],
    ['the second', 1, 2],
  ])('%s makes a suspect', (_name, before, crashes) => {
    const { state, effects } = begin({ opening, ...(before === undefined ? {} : { openingCrashes: before }) })
    expect(state.phase.kind).toBe('waiting_for_login')
    expect(requested(effects)).toMatchObject({ crashes })
    expect(written(effects)).toMatchObject({ opening: null, openingCrashes: crashes })
  })

  test('the third one shows until when, and alarms', () => {
    expect(third.state.shown).toMatchObject({ reason: 'quarantined', remedy: 'restart', nextAttemptAt: until })
    expect(written(third.effects)).toMatchObject({
      status: 'disconnected',
      reason: 'quarantined',
      nextAttemptAt: until,
      opening: null,
      openingCrashes: 3,
    })
    expect(kinds(third.effects)).toContain('alarm')
    expect(third.state.phase).toEqual({ kind: 'stopped', dueAt: now + 900_000 })
  })

  test('a worker that lost its lease in the midst of it and took it again did not crash', () => {
    const { state, effects } = begin({ openingCrashes: 2, opening: { workerId: 'w1', epoch: 0 } })
    expect(state.phase.kind).toBe('waiting_for_login')
    expect(requested(effects)).toMatchObject({ crashes: 2 })
    expect(written(effects)).toMatchObject({ opening: null })
    expect(written(effects)).not.toHaveProperty('openingCrashes')
  })

  test.each([
    ['this owner', third.state],
    ['the next owner', begin(resting).state],
  ])('is over in time by itself, for %s: one test, alone, shown by what comes of it', (_name, state) => {
    expect(dueAt(state)).toBe(now + 900_000)
    const tested = run(state, { kind: 'due' })
    expect(requested(tested.effects)).toEqual({ kind: 'request_login', lane: 'probe', crashes: 3 })
    expect(written(tested.effects)).toEqual({})
    const { state: back, effects } = run(tested.state, ...granted, opened)
    expect(back.openingCrashes).toBe(0)
    expect(written(effects)).toMatchObject({ status: 'connected', nextAttemptAt: null, openingCrashes: null })
    // Its worker lived: it is down like any other.
    const down = run(tested.state, ...granted, closed('connection_closed'))
    expect(down.state.shown).toMatchObject({ status: 'reconnecting', reason: 'connection_closed', attempt: 1 })
    expect(requested(run(down.state, { kind: 'due' }).effects)).toMatchObject({ crashes: 3 })
  })

  test('that ends in another crash lasts twice as long', () => {
    const again = begin({ ...resting, opening })
    expect(again.state.phase).toEqual({ kind: 'stopped', dueAt: now + 1_800_000 })
    expect(written(again.effects)).toMatchObject({ openingCrashes: 4, nextAttemptAt: iso(now + 1_800_000) })
  })

  test('a restart tests at once, and forgets nothing that only being open disproves', () => {
    const { state, effects } = run(third.state, command('restart'))
    expect(requested(effects)).toMatchObject({ lane: 'on_demand', crashes: 3 })
    expect(written(effects)).toMatchObject({ status: 'reconnecting', nextAttemptAt: null })
    expect(written(effects)).not.toHaveProperty('openingCrashes')
    expect(state.openingCrashes).toBe(3)
  })

  test('who was never linked waits for a person', () => {
    const { linkedAt: _, ...unlinked } = row
    const { state } = run(initialState, {
      kind: 'start',
      row: { ...unlinked, status: 'qr_pending', reason: 'pairing_requested', openingCrashes: 2, opening },
      lane: 'pairing',
    })
    expect(state.phase).toEqual({ kind: 'stopped' })
    expect(run(state, { kind: 'due' }).state.phase.kind).toBe('stopped')
  })

  test('what could not be read is not being opened while it waits', () => {
    const { effects } = run(
      initialState,
      { kind: 'start', row, lane: 'restore' },
      { kind: 'login_granted' },
      {
        kind: 'storage_failed',
        detail: '',
      },
    )
    expect(written(effects)).toMatchObject({ opening: null })
  })
})
