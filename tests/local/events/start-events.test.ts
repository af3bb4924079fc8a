import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EventRuleSpec } from '../../../local/engine/contracts.ts'
import type { Clock } from '../../../local/engine/events/pause.ts'
import { type Events, type EventsOptions, startEvents } from '../../../local/engine/events/start-events.ts'
import { fakeFunctions, type Handler, recordedLog } from '../gateway/fake-functions.ts'

const origin = { account: '111111111111', region: 'eu-west-1' }
const credentials = { accessKeyId: 'EVENTSTESTS', secretAccessKey: 'unused' }

const rule = (more: Partial<EventRuleSpec>): EventRuleSpec => ({
  ruleArn: 'arn:aws:events:eu-west-1:111111111111:rule/orders/rule1',
  ruleName: 'rule1',
  busName: 'orders',
  enabled: true,
  targets: [{ kind: 'function', functionArn: 'work' }],
  ...more,
})

const entry = { Source: 'shop', DetailType: 'Order placed', Detail: '{"total":5,"items":[{"sku":"a"}]}' }

let queues: FauxqsServer
let events: Events | undefined

beforeAll(async () => {
  queues = await startFauxqs({ port: 0, logger: false, host: '127.0.0.1', defaultRegion: origin.region })
})

afterEach(async () => {
  await events?.stop()
  events = undefined
})

afterAll(() => queues.stop())

const start = (
  rules: readonly EventRuleSpec[],
  handlers: Readonly<Record<string, Handler>> = { work: () => undefined },
  more: Partial<EventsOptions> = {},
) => {
  const functions = fakeFunctions(handlers)
  const log = recordedLog()
  const started = startEvents({
    rules,
    invoker: functions,
    clientFor: () => ({ region: origin.region, endpoint: `http://127.0.0.1:${queues.port}`, credentials }),
    origin,
    log,
    delivery: { retryDelayMs: 1 },
    ...more,
  })
  events = started
  return { events: started, functions, log }
}

const createQueue = (name: string, attributes: Record<string, string> = {}) => {
  const { queueArn } = queues.createQueue(name, { region: origin.region, attributes })
  return { queueArn, queueUrl: `http://127.0.0.1:${queues.port}/000000000000/${name}` }
}

describe('an event on a bus', () => {
  it('reaches the functions of the rules it matches, as AWS writes it', async () => {
    const { events, functions } = start([
      rule({ pattern: { source: ['shop'], detail: { total: [{ numeric: ['>', 4] }], items: { sku: ['a'] } } } }),
    ])
    const answer = events.putEvents('orders', [
      { ...entry, Time: new Date('2026-01-02T03:04:05.678Z'), Resources: ['r'] },
    ])
    await events.settled()
    const [{ EventId } = { EventId: '' }] = answer.Entries as { EventId: string }[]
    expect(answer.FailedEntryCount).toBe(0)
    expect(functions.invocations).toEqual([
      {
        functionArn: 'work',
        source: {
          service: 'events.amazonaws.com',
          sourceArn: 'arn:aws:events:eu-west-1:111111111111:rule/orders/rule1',
        },
        event: {
          version: '0',
          id: EventId,
          'detail-type': 'Order placed',
          source: 'shop',
          account: '111111111111',
          time: '2026-01-02T03:04:05Z',
          region: 'eu-west-1',
          resources: ['r'],
          detail: { total: 5, items: [{ sku: 'a' }] },
        },
      },
    ])
  })

  it.each([
    ['of another bus', { busName: 'default', pattern: { source: ['shop'] } }],
    ['with another pattern', { pattern: { source: ['other'] } }],
    ['that is disabled', { enabled: false, pattern: { source: ['shop'] } }],
  ])('does not reach a rule %s', async (_what, more) => {
    const { events, functions } = start([rule(more)])
    events.putEvents('orders', [entry])
    await events.settled()
    expect(functions.invocations).toEqual([])
  })

  it('goes to the bus that the entry names, by name or ARN', async () => {
    const { events, functions } = start([rule({ pattern: { source: ['shop'] } })])
    events.putEvents('default', [
      { ...entry, EventBusName: 'orders' },
      { ...entry, EventBusName: 'arn:aws:events:eu-west-1:111111111111:event-bus/orders' },
    ])
    await events.settled()
    expect(functions.invocations).toHaveLength(2)
  })

  it('reaches queues, with the group of a FIFO queue, as the event or as the constant input', async () => {
    const plain = createQueue('plain')
    const fifo = createQueue('ordered.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' })
    const { events } = start([
      rule({
        pattern: { source: ['shop'] },
        targets: [
          { kind: 'queue', ...plain },
          { kind: 'queue', ...fifo, messageGroupId: 'g', input: '{"constant":true}' },
        ],
      }),
    ])
    events.putEvents('orders', [entry])
    await events.settled()
    const inPlain = queues.inspectQueue('plain')?.messages.ready ?? []
    expect(inPlain.map(({ body }) => JSON.parse(body))).toMatchObject([{ source: 'shop', detail: { total: 5 } }])
    expect(queues.inspectQueue('ordered.fifo')?.messages.ready).toMatchObject([
      { body: '{"constant":true}', messageGroupId: 'g' },
    ])
  })

  it('is tried three times on a failing function, then given up with a line', async () => {
    const { events, functions, log } = start([rule({ pattern: { source: ['shop'] } })], {
      work: () => Promise.reject(new Error('down')),
    })
    events.putEvents('orders', [entry])
    await events.settled()
    expect(functions.invocations).toHaveLength(3)
    expect(log.lines.at(-1)).toMatch(/^error rule rule1: event .* was not delivered to work: Error: down/)
  })

  it('that can not be delivered to a queue does not stop the other targets', async () => {
    const { events, functions, log } = start([
      rule({
        pattern: { source: ['shop'] },
        targets: [
          { kind: 'queue', queueArn: 'arn:missing', queueUrl: `http://127.0.0.1:${queues.port}/000000000000/missing` },
          { kind: 'function', functionArn: 'work', input: '{"a":1}' },
        ],
      }),
    ])
    events.putEvents('orders', [entry])
    await events.settled()
    expect(functions.invocations).toMatchObject([{ event: { a: 1 } }])
    expect(log.lines.at(-1)).toContain('was not delivered to arn:missing')
  })

  it.each([
    [{ ...entry, Source: undefined }, 'InvalidArgument'],
    [{ ...entry, DetailType: '' }, 'InvalidArgument'],
    [{ ...entry, Detail: undefined }, 'InvalidArgument'],
    [{ ...entry, Detail: 'text' }, 'MalformedDetail'],
    [{ ...entry, Detail: '[1]' }, 'MalformedDetail'],
    [{ ...entry, Source: 'aws.ecs' }, 'NotAuthorizedForSource'],
    [{ ...entry, Detail: JSON.stringify({ a: 'x'.repeat(262_144) }) }, 'InvalidArgument'],
  ])('is refused entry by entry, as AWS does', async (bad, ErrorCode) => {
    const { events, functions } = start([rule({ pattern: { source: [{ exists: true }] } })])
    const answer = events.putEvents('orders', [bad, entry])
    expect(answer).toEqual({
      FailedEntryCount: 1,
      Entries: [{ ErrorCode, ErrorMessage: expect.any(String) }, { EventId: expect.any(String) }],
    })
    await events.settled()
    expect(functions.invocations).toHaveLength(1)
  })

  it('may come from an AWS service, on the default bus', async () => {
    const { events, functions } = start([
      rule({ busName: 'default', pattern: { source: ['aws.ecs'], detail: { lastStatus: ['STOPPED'] } } }),
    ])
    events.emit({
      source: 'aws.ecs',
      detailType: 'ECS Task State Change',
      detail: { lastStatus: 'STOPPED' },
      resources: ['arn:aws:ecs:eu-west-1:111111111111:task/t1'],
    })
    await events.settled()
    expect(functions.invocations).toMatchObject([
      { event: { source: 'aws.ecs', resources: ['arn:aws:ecs:eu-west-1:111111111111:task/t1'] } },
    ])
  })
})

describe('a scheduled rule', () => {
  /** Time passes only by `pass`, which lets every timer that falls due run. */
  const virtualClock = (startMs: number): Clock & { pass(ms: number): Promise<void> } => {
    let nowMs = startMs
    const timers = new Set<{ readonly atMs: number; readonly end: () => void }>()
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    return {
      now: () => nowMs,
      pause: (ms, signal) =>
        new Promise((resolve) => {
          const timer = { atMs: nowMs + ms, end: resolve }
          timers.add(timer)
          signal.addEventListener('abort', () => resolve())
        }),
      async pass(ms) {
        const untilMs = nowMs + ms
        for (;;) {
          await turn()
          const [next] = [...timers].sort((a, b) => a.atMs - b.atMs)
          if (next === undefined || next.atMs > untilMs) break
          timers.delete(next)
          nowMs = next.atMs
          next.end()
        }
        nowMs = untilMs
        await turn()
      },
    }
  }

  it('fires at its times, with the event that AWS makes', async () => {
    const clock = virtualClock(Date.parse('2026-01-01T00:00:10Z'))
    const { functions } = start(
      [
        rule({ busName: 'default', schedule: 'rate(1 minute)' }),
        rule({ schedule: 'cron(0/2 * * * ? *)', targets: [{ kind: 'function', functionArn: 'sweep' }] }),
        rule({ enabled: false, schedule: 'rate(1 minute)', targets: [{ kind: 'function', functionArn: 'never' }] }),
      ],
      { work: () => undefined, sweep: () => undefined },
      { clock },
    )
    await clock.pass(59_000)
    expect(functions.invocations).toHaveLength(0)
    await clock.pass(241_000)
    const fired = functions.invocations.map(({ functionArn, event }) => [functionArn, (event as { time: string }).time])
    expect(fired).toEqual([
      ['work', '2026-01-01T00:01:10Z'],
      ['sweep', '2026-01-01T00:02:00Z'],
      ['work', '2026-01-01T00:02:10Z'],
      ['work', '2026-01-01T00:03:10Z'],
      ['sweep', '2026-01-01T00:04:00Z'],
      ['work', '2026-01-01T00:04:10Z'],
      ['work', '2026-01-01T00:05:10Z'],
    ])
    expect(functions.invocations[0]).toEqual({
      functionArn: 'work',
      source: { service: 'events.amazonaws.com', sourceArn: expect.stringContaining('rule/') },
      event: {
        version: '0',
        id: expect.any(String),
        'detail-type': 'Scheduled Event',
        source: 'aws.events',
        account: '111111111111',
        time: '2026-01-01T00:01:10Z',
        region: 'eu-west-1',
        resources: ['arn:aws:events:eu-west-1:111111111111:rule/orders/rule1'],
        detail: {},
      },
    })
  })

  it('waits longer than one timer can', async () => {
    const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'))
    const { functions } = start([rule({ schedule: 'rate(30 days)' })], undefined, { clock })
    await clock.pass(30 * 86_400_000 - 1)
    expect(functions.invocations).toHaveLength(0)
    await clock.pass(1)
    expect(functions.invocations).toHaveLength(1)
  })
})

describe('what can not be run', () => {
  it.each([
    [{ schedule: 'cron(0 10 L * ? *)' }, 'rule rule1: cron(0 10 L * ? *): day-of-month: L is not supported'],
    [{ pattern: { source: [] } }, 'rule rule1: event pattern: source: an empty list'],
  ])('is an error that names the rule: %j', (more, message) => {
    expect(() => start([rule(more)])).toThrow(message)
  })
})
