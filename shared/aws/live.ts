import type { BusinessProfileId, ConnectionId, IsoTime } from '../domain/words.ts'
import type { StoreTable } from './requests.ts'

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
  /** One transaction: the ticket goes, subscription (interest: all) and pointer come. */
  spendTicket(ticket: string, socketId: string, now: IsoTime): Promise<SpendOutcome>
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

export function liveStore(_store: StoreTable): LiveStore {
  throw new Error('not written yet')
}
