/**
 * EventBridge in local mode: buses with rules, and scheduled rules. Deliveries run beside the caller, as on AWS: `putEvents`
 * answers before any target has run.
 */
import { randomUUID } from 'node:crypto'
import type { BusEvent, EngineLog, EventRuleSpec, Invoker, PrincipalClientConfig, Running } from '../contracts.ts'
import { createBuses } from './bus.ts'
import {
  busNameOf,
  type EventOrigin,
  eventOfEntry,
  eventTime,
  type PutEventsEntry,
  type PutEventsResult,
  type PutEventsResultEntry,
} from './entries.ts'
import { type Clock, systemClock } from './pause.ts'
import { nextFireTime, parseSchedule, type Schedule } from './schedule.ts'
import { createTargetDelivery, type DeliveryPolicy, defaultDeliveryPolicy, type QueueTarget } from './targets.ts'

export interface EventsOptions {
  readonly rules: readonly EventRuleSpec[]
  readonly invoker: Invoker
  readonly clientFor: (target: QueueTarget, rule: EventRuleSpec) => PrincipalClientConfig
  readonly origin: EventOrigin
  readonly log: EngineLog
  readonly delivery?: Partial<DeliveryPolicy>
  /** What schedules go by; tests pass time at will. */
  readonly clock?: Clock
}

/** An event that an AWS service itself emits, such as ECS with `source: "aws.ecs"`. */
export interface ServiceEvent {
  readonly source: string
  readonly detailType: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly resources?: readonly string[]
}

export interface Events extends Running {
  /** What `PutEvents` answers a customer: sources that begin with `aws.` are refused, entry by entry. */
  putEvents(busName: string, entries: readonly PutEventsEntry[]): PutEventsResult
  /** An AWS service's own event, on the default bus. */
  emit(event: ServiceEvent): void
  /** Resolves when everything that was put so far is delivered or given up. */
  settled(): Promise<void>
}

/** @throws {Error} naming the rule whose pattern or schedule can't be run */
export function startEvents(options: EventsOptions): Events {
  const { rules, origin, log, clock = systemClock } = options
  const stopping = new AbortController()
  const buses = createBuses(rules)
  const schedules = rules.flatMap((rule) =>
    rule.schedule === undefined ? [] : [{ rule, schedule: parseSchedule(rule.schedule, rule.ruleName) }],
  )
  const targets = createTargetDelivery({
    invoker: options.invoker,
    clientFor: options.clientFor,
    log,
    policy: { ...defaultDeliveryPolicy, ...options.delivery },
    signal: stopping.signal,
  })
  const inFlight = new Set<Promise<void>>()

  const deliver = (rule: EventRuleSpec, event: BusEvent): void => {
    for (const target of rule.targets) {
      const delivery = targets.deliver(rule, target, event).finally(() => inFlight.delete(delivery))
      inFlight.add(delivery)
    }
  }

  const route = (busName: string, event: BusEvent): void => {
    for (const rule of buses.rulesFor(busName, event)) deliver(rule, event)
  }

  const fire = (rule: EventRuleSpec): void => deliver(rule, scheduledEvent(rule, clock.now()))

  const settled = async (): Promise<void> => {
    while (inFlight.size > 0) await Promise.all(inFlight)
  }

  const clocks = schedules
    .filter(({ rule }) => rule.enabled)
    .map(({ rule, schedule }) => runSchedule(schedule, () => fire(rule), clock, stopping.signal))

  return {
    putEvents(busName, entries) {
      const answers = entries.map((entry): PutEventsResultEntry => {
        const outcome = eventOfEntry(entry, origin, randomUUID(), Date.now())
        if (outcome.kind === 'refused') {
          log.warn('events', `an event was refused: ${outcome.code}: ${outcome.message}`)
          return { ErrorCode: outcome.code, ErrorMessage: outcome.message }
        }
        route(busNameOf(entry.EventBusName ?? busName), outcome.event)
        return { EventId: outcome.event.id }
      })
      return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers }
    },
    emit(event) {
      route('default', {
        version: '0',
        id: randomUUID(),
        'detail-type': event.detailType,
        source: event.source,
        account: origin.account,
        time: eventTime(Date.now()),
        region: origin.region,
        resources: event.resources ?? [],
        detail: event.detail,
      })
    },
    settled,
    async stop() {
      stopping.abort()
      await Promise.all(clocks)
      await settled()
      targets.close()
    },
  }
}

/** What a scheduled rule sends to its targets. The rule's own ARN says account and region. */
function scheduledEvent(rule: EventRuleSpec, nowMs: number): BusEvent {
  const [, , , region = '', account = ''] = rule.ruleArn.split(':')
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account,
    time: eventTime(nowMs),
    region,
    resources: [rule.ruleArn],
    detail: {},
  }
}

/** Fires at each time of the schedule until `signal` aborts. A fire that was slept through is not made up for. */
async function runSchedule(schedule: Schedule, fire: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  let due = nextFireTime(schedule, clock.now())
  while (due !== undefined && !signal.aborted) {
    // Node's timers end at 24.8 days; a longer wait is made of pieces.
    const waitMs = Math.min(due - clock.now(), 86_400_000)
    if (waitMs > 0) {
      await clock.pause(waitMs, signal)
      continue
    }
    fire()
    due = nextFireTime(schedule, Math.max(due, clock.now() - 1000))
  }
}
