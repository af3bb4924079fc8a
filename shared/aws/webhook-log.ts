import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { eventsDaysDefault } from '../domain/tenancy.ts'
import type { WebhookRef } from '../domain/webhooks.ts'
import type { ConnectionId, IsoTime } from '../domain/words.ts'
import { queryPage, type StoreTable } from './requests.ts'
import { expiry, logPk } from './webhook-lanes.ts'

/** One attempt to deliver one event. */
export interface LoggedDelivery {
  readonly deliveryId: string
  readonly at: IsoTime
  readonly eventId: string
  readonly event: string
  readonly connectionId: ConnectionId | null
  /** From 1. */
  readonly attempt: number
  readonly delivered: boolean
  readonly statusCode?: number
  readonly durationMs: number
  readonly error?: string
}

export interface WebhookLog {
  /** @param keptDays a fortnight where it is not given. 1 WCU. */
  add(ref: WebhookRef, delivery: LoggedDelivery, keptDays?: number): Promise<void>
  /** Newest first. `next` is the sort key to go on behind. */
  list(
    ref: WebhookRef,
    limit: number,
    after?: string,
  ): Promise<{ readonly items: readonly LoggedDelivery[]; readonly next?: string }>
}

export function webhookLog({ documents, table }: StoreTable): WebhookLog {
  return {
    async add(ref, delivery, keptDays = eventsDaysDefault) {
      const { at, deliveryId } = delivery
      await documents.send(
        new PutCommand({
          TableName: table,
          Item: { pk: logPk(ref), sk: `${at}#${deliveryId}`, ...delivery, expireAt: expiry(Date.parse(at), keptDays) },
        }),
      )
    },

    async list(ref, limit, after) {
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          ScanIndexForward: false,
          ConsistentRead: true,
          KeyConditionExpression: '#pk = :pk',
          ExpressionAttributeNames: { '#pk': 'pk' },
          ExpressionAttributeValues: { ':pk': logPk(ref) },
          ...(after === undefined ? {} : { ExclusiveStartKey: { pk: logPk(ref), sk: after } }),
        },
        limit,
      )
      const last = items.at(-1)
      return {
        items: items.map(({ pk: _pk, sk: _sk, expireAt: _expireAt, ...row }) => row as unknown as LoggedDelivery),
        ...(more && last !== undefined ? { next: String(last.sk) } : {}),
      }
    },
  }
}
