import { randomBytes } from 'node:crypto'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId, ConnectionId, IsoTime } from '../domain/words.ts'
import { attributeNames, update } from './expressions.ts'
import { sha256Hex } from './ids.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction, withoutConflict } from './requests.ts'

/** What a socket wants to hear of: everything of its business profile, or some connections. */
export type Interest =
  | { readonly kind: 'all' }
  | { readonly kind: 'connections'; readonly connectionIds: readonly ConnectionId[] }

/** One open socket of a browser. Stored under its business profile, which publishing reads. */
export interface Subscription {
  readonly businessProfileId: BusinessProfileId
  /** API Gateway's connection id. */
  readonly socketId: string
  readonly interest: Interest
  /** Rises by one when the interest changes, and only then: a stream record with another version asks for a snapshot. */
  readonly version: number
  /** It was connected before, and heard of everything until then. */
  readonly since?: IsoTime
  readonly connectedAt: IsoTime
  readonly lastSeenAt: IsoTime
  /** Seconds since 1970; DynamoDB's TTL. */
  readonly expireAt: number
}

export type SpendOutcome =
  | { readonly kind: 'spent'; readonly subscription: Subscription }
  /** Never given out, spent already, or too old. */
  | { readonly kind: 'refused' }

export interface LiveStore {
  /** Returns the ticket; only its SHA-256 is stored. */
  createTicket(businessProfileId: BusinessProfileId, expiresAt: IsoTime): Promise<string>
  /** One transaction: the ticket goes, subscription (interest: all, unless another is given) and pointer come. */
  spendTicket(
    ticket: string,
    socketId: string,
    now: IsoTime,
    wish?: { readonly interest?: Interest; readonly since?: IsoTime },
  ): Promise<SpendOutcome>
  /** Consistent; every open socket of the business profile. */
  subscriptionsOf(businessProfileId: BusinessProfileId): Promise<readonly Subscription[]>
  /** Consistent, by way of the pointer. */
  subscriptionOf(socketId: string): Promise<Subscription | undefined>
  /** Conditional on `subscription.version`. `moved`: another change came between; read again. */
  changeInterest(
    subscription: Subscription,
    interest: Interest,
    now: IsoTime,
  ): Promise<{ readonly kind: 'changed'; readonly subscription: Subscription } | { readonly kind: 'moved' | 'gone' }>
  /** It is still there. Changes neither interest nor version. */
  touch(subscription: Subscription, now: IsoTime): Promise<void>
  /** Removes subscription and pointer. Knowing the business profile saves a read. */
  removeSocket(socketId: string, businessProfileId?: BusinessProfileId): Promise<void>
}

const ticketKey = (ticket: string) => ({ pk: `ticket#${sha256Hex(ticket)}`, sk: 'ticket' })
const subscriptionKey = (businessProfileId: BusinessProfileId, socketId: string) => ({
  pk: `profile#${businessProfileId}`,
  sk: `socket#${socketId}`,
})
const pointerKey = (socketId: string) => ({ pk: `socket#${socketId}`, sk: 'pointer' })

/** API Gateway ends a socket after 2 hours; what is still there an hour later was left behind by a `$disconnect` that never came. */
const socketSeconds = 3 * 3_600

const seconds = (time: IsoTime): number => Math.floor(Date.parse(time) / 1_000)

const subscriptionRow = (item: Item): Subscription => {
  const { pk: _pk, sk: _sk, ...row } = item
  return row as unknown as Subscription
}

/**
 * Tickets and open sockets. `createTicket` 1 WCU; `spendTicket` 1 RCU and 6 WCU; `subscriptionsOf` 1 RCU per 4 KB;
 * `subscriptionOf` 2 RCU; `changeInterest` and `touch` 1 WCU; `removeSocket` 4 WCU, and 1 RCU where the profile is unknown.
 */
export function liveStore({ documents, table }: StoreTable): LiveStore {
  async function profileOf(socketId: string): Promise<BusinessProfileId | undefined> {
    const { Item } = await documents.send(
      new GetCommand({ TableName: table, Key: pointerKey(socketId), ConsistentRead: true }),
    )
    return Item === undefined ? undefined : String(Item.businessProfileId)
  }

  return {
    async createTicket(businessProfileId, expiresAt) {
      const ticket = `lt_${randomBytes(32).toString('base64url')}`
      const item = { ...ticketKey(ticket), businessProfileId, expiresAt, expireAt: seconds(expiresAt) + 60 }
      await withoutConflict(() => documents.send(new PutCommand({ TableName: table, Item: item })))
      return ticket
    },

    async spendTicket(ticket, socketId, now, wish = {}) {
      const { interest = { kind: 'all' }, since }: typeof wish = wish
      const { Item: found } = await documents.send(
        new GetCommand({ TableName: table, Key: ticketKey(ticket), ConsistentRead: true }),
      )
      if (found === undefined) return { kind: 'refused' }
      const subscription: Subscription = {
        businessProfileId: String(found.businessProfileId),
        socketId,
        interest,
        version: 1,
        ...(since === undefined ? {} : { since }),
        connectedAt: now,
        lastSeenAt: now,
        expireAt: seconds(now) + socketSeconds,
      }
      const { businessProfileId, connectedAt, expireAt } = subscription
      // TTL deletes late, so the end of a ticket's life is asked for here.
      const condition = '#expiresAt > :now'
      const spent = await transaction(documents, [
        {
          Delete: {
            TableName: table,
            Key: ticketKey(ticket),
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
            ExpressionAttributeValues: { ':now': now },
          },
        },
        { Put: { TableName: table, Item: { ...subscriptionKey(businessProfileId, socketId), ...subscription } } },
        { Put: { TableName: table, Item: { ...pointerKey(socketId), businessProfileId, connectedAt, expireAt } } },
      ])
      return spent.kind === 'landed' ? { kind: 'spent', subscription } : { kind: 'refused' }
    },

    async subscriptionsOf(businessProfileId) {
      const condition = '#pk = :pk AND begins_with(#sk, :prefix)'
      const items = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':pk': `profile#${businessProfileId}`, ':prefix': 'socket#' },
      })
      return items.map(subscriptionRow)
    },

    async subscriptionOf(socketId) {
      const businessProfileId = await profileOf(socketId)
      if (businessProfileId === undefined) return undefined
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: subscriptionKey(businessProfileId, socketId), ConsistentRead: true }),
      )
      return Item === undefined ? undefined : subscriptionRow(Item)
    },

    async changeInterest({ businessProfileId, socketId, version }, interest, now) {
      const changed = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, subscriptionKey(businessProfileId, socketId), {
              set: { interest, lastSeenAt: now, version: version + 1 },
              condition: '#version = :version',
              values: { ':version': version },
            }),
            ReturnValues: 'ALL_NEW',
          }),
        ),
      )
      if (changed.kind === 'landed') {
        return { kind: 'changed', subscription: subscriptionRow(changed.output.Attributes ?? {}) }
      }
      return { kind: changed.item === undefined ? 'gone' : 'moved' }
    },

    async touch({ businessProfileId, socketId }, now) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, subscriptionKey(businessProfileId, socketId), {
              set: { lastSeenAt: now },
              condition: 'attribute_exists(#pk)',
            }),
          ),
        ),
      )
    },

    async removeSocket(socketId, known) {
      const businessProfileId = known ?? (await profileOf(socketId))
      if (businessProfileId === undefined) return
      await transaction(documents, [
        { Delete: { TableName: table, Key: subscriptionKey(businessProfileId, socketId) } },
        { Delete: { TableName: table, Key: pointerKey(socketId) } },
      ])
    },
  }
}
