import { UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId, EpochMs } from '../domain/words.ts'
import { attributeNames } from './expressions.ts'
import { conditional, type StoreTable } from './requests.ts'

export interface Usage {
  /** Counts one send of the profile's UTC day unless `max` are counted already. 1 WCU. */
  countSend(businessProfileId: BusinessProfileId, max: number, nowMs: EpochMs): Promise<'counted' | 'used_up'>
}

export const usagePk = (businessProfileId: BusinessProfileId): string => `usage#${businessProfileId}`

const dayMs = 86_400_000
/** A count is of no use after its day. */
const keptSeconds = 3 * 86_400

/** Milliseconds until the next UTC day. */
export const untilNextDayMs = (nowMs: EpochMs): number => dayMs - (nowMs % dayMs)

export function usage({ documents, table }: StoreTable): Usage {
  return {
    async countSend(businessProfileId, max, nowMs) {
      if (max === 0) return 'used_up'
      const expression = 'SET #expireAt = :expireAt ADD #count :one'
      const condition = 'attribute_not_exists(#count) OR #count < :max'
      const counted = await conditional(() =>
        documents.send(
          new UpdateCommand({
            TableName: table,
            Key: { pk: usagePk(businessProfileId), sk: `sends#${new Date(nowMs).toISOString().slice(0, 10)}` },
            UpdateExpression: expression,
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(expression, condition),
            ExpressionAttributeValues: {
              ':expireAt': Math.floor(nowMs / 1_000) + keptSeconds,
              ':one': 1,
              ':max': max,
            },
          }),
        ),
      )
      return counted.kind === 'landed' ? 'counted' : 'used_up'
    },
  }
}
