/** What happens by itself: which of it there is more of where there are more workers or partitions, and that a run bears that out. */
import type { IdleAmount, Per } from './counts.ts'
import { type Counted, type Group, keyOf } from './tally.ts'

const watchdog = /^Watchdogs|^WebhooksSweep$/

/** It belongs to no operation. `empty`: a receive that brought nothing. */
export function isBackground(group: Group, empty: boolean): boolean {
  return empty || group.service === 'streams' || perOf(group) !== undefined
}

/** Undefined: it does not happen by itself. */
export function perOf({ by, service, operation, of }: Group): Per | undefined {
  const waiting = operation === 'Query' && (of === 'messages/waiting' || of === 'connections/byPartition')
  if (watchdog.test(by)) return waiting ? 'partition' : 'deployment'
  if (by !== 'connector') return undefined
  if (of === 'fleet' || (service === 'logs' && of === 'metrics')) return 'worker'
  return waiting ? 'partition' : undefined
}

export interface IdleWindow {
  readonly name: string
  readonly seconds: number
  readonly workers: number
  readonly connections: number
  readonly partitions: number
  readonly counts: readonly Counted[]
}

/** Of the polls of partitions, which bring nothing while it is idle. */
const isPoll = ({ by, operation, of }: Group): boolean =>
  by === 'connector' && operation === 'ReceiveMessage' && of.startsWith('partition queue')

/**
 * Rates of an hour from several windows; in each, as much must have happened as the rates say, or something grows by another law.
 *
 * @throws {Error} that names what does
 */
export function idleAmounts(windows: readonly IdleWindow[]): readonly IdleAmount[] {
  const groups = new Map(windows.flatMap(({ counts }) => counts.map((counted) => [keyOf(counted), counted] as const)))
  const amounts: IdleAmount[] = []
  for (const [key, { by, service, operation, of }] of groups) {
    const group = { by, service, operation, of }
    // Lambda's own polls of its queues are another thing here than on AWS; streams cost nothing.
    if (service === 'streams' || (operation === 'ReceiveMessage' && !isPoll(group))) continue
    const per = isPoll(group) ? 'partition' : perOf(group)
    const found = windows.map((window) => ({ window, count: window.counts.find((each) => keyOf(each) === key) }))
    if (per === undefined) {
      const most = Math.max(...found.map(({ count }) => count?.requests ?? 0))
      if (most > straysMax) throw new Error(`${nameOf(group)} happened ${most} times while it was idle: by what law?`)
      continue
    }
    const hours = sumOf(windows, (window) => (window.seconds / 3_600) * manyOf(per, window))
    const sum = (what: (count: Counted) => number): number =>
      sumOf(found, ({ count }) => (count ? what(count) : 0)) / hours
    const requests = sum((count) => count.requests)
    for (const { window, count } of found) {
      const expected = (requests * manyOf(per, window) * window.seconds) / 3_600
      const off = Math.abs((count?.requests ?? 0) - expected)
      if (off > roundsMax * manyOf(per, window) + expected * shareMax)
        throw new Error(
          `${nameOf(group)}: ${count?.requests ?? 0} in "${window.name}", expected ${expected.toFixed(1)} at so many a ${per}`,
        )
    }
    amounts.push({
      ...group,
      per,
      requests: rounded(requests),
      writeUnits: rounded(sum((count) => count.writeUnits)),
      readUnits: rounded(sum((count) => count.readUnits)),
      pieces: 0,
      bytes: rounded(sum((count) => count.bytes)),
    })
  }
  return amounts.sort((a, b) => keyOf(a).localeCompare(keyOf(b)))
}

/** What is no law: a log line, a late retry. */
const straysMax = 5
/** A round that falls just out of a window, or just into it, for each of whatever it is counted for. */
const roundsMax = 3
const shareMax = 0.15

const manyOf = (per: Per, { workers, partitions }: IdleWindow): number =>
  ({ worker: workers, partition: partitions, deployment: 1 })[per]
const nameOf = ({ by, service, operation, of }: Group): string =>
  [by, service, operation, of].filter((word) => word !== '').join(' ')

function sumOf<T>(of: readonly T[], what: (each: T) => number): number {
  return of.reduce((sum, each) => sum + what(each), 0)
}

export const rounded = (value: number): number => Number(value.toPrecision(4))
