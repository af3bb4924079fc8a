import { UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { EpochMs } from '../domain/words.ts'
import { update } from './expressions.ts'
import { conditional, type StoreTable } from './requests.ts'

/** A rate that holds over all processes: so many a second, and so many at once after a pause. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export type TakeOutcome = { readonly kind: 'taken' } | { readonly kind: 'exhausted'; readonly retryAfterMs: number }

export interface CallRates {
  /** Takes `count` of what the rate allows, or nothing. @param bucket e.g. `<keyId>#requests` */
  take(bucket: string, rate: Rate, count: number, nowMs: EpochMs): Promise<TakeOutcome>
}

const keyOf = (bucket: string) => ({ pk: `rate#${bucket}`, sk: 'rate' })

/** A bucket that nobody takes from is full again long before. */
const keptSeconds = 24 * 3_600
/** Another process may change the bucket between two tries. */
const triesMax = 4
/** Of which a process remembers how full they were. */
const bucketsMax = 1_000

/**
 * A token bucket in one number per key: `filledAt`, the time at which the bucket will be full again (GCRA, the generic cell rate
 * algorithm). Taking moves it ahead, so one conditional write both asks and takes. Clocks of the processes that take must agree
 * to a fraction of a second.
 *
 * 1 WCU where the guess about the stored number was right, which it mostly is; 2 where not.
 */
export function callRates({ documents, table }: StoreTable): CallRates {
  const lastSeen = new Map<string, number>()
  const see = (bucket: string, filledAt: number): void => {
    lastSeen.delete(bucket)
    lastSeen.set(bucket, filledAt)
    for (const oldest of lastSeen.keys()) {
      if (lastSeen.size <= bucketsMax) break
      lastSeen.delete(oldest)
    }
  }

  return {
    async take(bucket, { perSecond, burst }, count, nowMs) {
      const costMs = (count * 1_000) / perSecond
      const aheadMsMax = (burst * 1_000) / perSecond - costMs
      const expireAt = Math.floor(nowMs / 1_000) + keptSeconds
      let fullBy: 'now' | 'later' = (lastSeen.get(bucket) ?? 0) > nowMs ? 'later' : 'now'
      for (let tries = 1; ; tries++) {
        const taken = await conditional(() =>
          documents.send(
            new UpdateCommand({
              ...(fullBy === 'now'
                ? update(table, keyOf(bucket), {
                    set: { filledAt: nowMs + costMs, expireAt },
                    condition: 'attribute_not_exists(#filledAt) OR #filledAt <= :now',
                    values: { ':now': nowMs },
                  })
                : update(table, keyOf(bucket), {
                    set: { expireAt },
                    compute: { filledAt: '#filledAt + :cost' },
                    condition: '#filledAt > :now AND #filledAt <= :latest',
                    values: { ':now': nowMs, ':cost': costMs, ':latest': nowMs + aheadMsMax },
                  })),
              ReturnValues: 'UPDATED_NEW',
            }),
          ),
        )
        if (taken.kind === 'landed') {
          see(bucket, Number(taken.output.Attributes?.filledAt ?? 0))
          return { kind: 'taken' }
        }
        const filledAt = Number(taken.item?.filledAt ?? 0)
        see(bucket, filledAt)
        if (filledAt > nowMs + aheadMsMax) return { kind: 'exhausted', retryAfterMs: filledAt - nowMs - aheadMsMax }
        if (tries === triesMax) return { kind: 'exhausted', retryAfterMs: costMs }
        fullBy = filledAt > nowMs ? 'later' : 'now'
      }
    },
  }
}
