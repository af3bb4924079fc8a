import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { PauseReason, Webhook, WebhookRef } from '../domain/webhooks.ts'
import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { conditional, type Item, queryAll, type StoreTable } from './requests.ts'

/** What its owner may change; `null` removes. `state` is changed by `pause` and `resume`. */
export interface WebhookChange {
  readonly url?: string
  readonly label?: string | null
  readonly events?: readonly string[] | null
  readonly connectionIds?: readonly string[] | null
  readonly headerNames?: readonly string[]
  readonly sealed?: string
}

export type WebhookOutcome =
  | { readonly kind: 'written'; readonly webhook: Webhook }
  /** It has another version than the caller saw. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'not_found' }

/** The endpoints of business profiles. */
export interface Webhooks {
  create(webhook: Webhook): Promise<{ readonly kind: 'created' | 'exists' }>
  get(ref: WebhookRef): Promise<Webhook | undefined>
  /** All, consistent, in order of id: a business profile has few. */
  list(businessProfileId: BusinessProfileId): Promise<readonly Webhook[]>
  /** @param version where given, only if the row has it */
  change(ref: WebhookRef, change: WebhookChange, now: IsoTime, version?: number): Promise<WebhookOutcome>
  /** What follows from its profile's settings; its version stays. */
  configure(ref: WebhookRef, settings: { readonly eventsDays?: number }): Promise<void>
  pause(ref: WebhookRef, reason: PauseReason, message: string, now: IsoTime, version?: number): Promise<WebhookOutcome>
  /** Active again, with nothing against it. */
  resume(ref: WebhookRef, now: IsoTime, version?: number): Promise<WebhookOutcome>
  remove(ref: WebhookRef): Promise<{ readonly kind: 'removed' | 'not_found' }>
  /**
   * Notes a round of failures: of attempts that began while an earlier round was already noted only the first counts.
   *
   * @param retryAt before then nobody calls it again
   */
  noteFailure(ref: WebhookRef, failures: number, error: string, startedAt: IsoTime, retryAt: IsoTime): Promise<void>
  /** It took something: what was noted is forgotten. */
  noteSuccess(ref: WebhookRef): Promise<void>
}

const keyOf = ({ businessProfileId, webhookId }: WebhookRef) => ({
  pk: `profile#${businessProfileId}`,
  sk: `webhook#${webhookId}`,
})

function stored(item: Item): Webhook {
  const { pk: _pk, sk: _sk, ...row } = item
  return row as unknown as Webhook
}

/** Every call 1 WCU or RCU, `list` 1 RCU per 4 KB. */
export function webhookStore({ documents, table }: StoreTable): Webhooks {
  async function write(
    ref: WebhookRef,
    set: Readonly<Record<string, unknown>>,
    now: IsoTime,
    version: number | undefined,
  ): Promise<WebhookOutcome> {
    const written = await conditional(() =>
      documents.send(
        new UpdateCommand({
          ...update(table, keyOf(ref), {
            set: { ...set, updatedAt: now },
            compute: { version: '#version + :one' },
            condition: version === undefined ? 'attribute_exists(#pk)' : '#version = :seen',
            values: { ':one': 1, ...(version === undefined ? {} : { ':seen': version }) },
          }),
          ReturnValues: 'ALL_NEW',
        }),
      ),
    )
    if (written.kind === 'landed') return { kind: 'written', webhook: stored(written.output.Attributes ?? {}) }
    return { kind: written.item === undefined ? 'not_found' : 'changed' }
  }
  const healthy = { failures: null, failingSince: null, lastError: null, retryAt: null }

  return {
    async create(webhook) {
      const item = { ...keyOf(webhook), ...webhook }
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, item, 'attribute_not_exists(#pk)'))),
      )
      return { kind: put.kind === 'landed' ? 'created' : 'exists' }
    },

    async get(ref) {
      const { Item } = await documents.send(new GetCommand({ TableName: table, Key: keyOf(ref), ConsistentRead: true }))
      return Item === undefined ? undefined : stored(Item)
    },

    async list(businessProfileId) {
      const condition = '#pk = :pk AND begins_with(#sk, :prefix)'
      const items = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':pk': `profile#${businessProfileId}`, ':prefix': 'webhook#' },
      })
      return items.map(stored)
    },

    change: (ref, change, now, version) => write(ref, { ...change }, now, version),

    async configure(ref, { eventsDays }) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, keyOf(ref), { set: { eventsDays: eventsDays ?? null }, condition: 'attribute_exists(#pk)' }),
          ),
        ),
      )
    },

    pause: (ref, reason, message, now, version) =>
      write(ref, { state: 'paused', paused: { reason, message, at: now }, retryAt: null }, now, version),

    resume: (ref, now, version) =>
      write(ref, { state: 'active', paused: null, resumedAt: now, ...healthy }, now, version),

    async remove(ref) {
      const removed = await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: keyOf(ref),
            ConditionExpression: 'attribute_exists(#pk)',
            ExpressionAttributeNames: { '#pk': 'pk' },
          }),
        ),
      )
      return { kind: removed.kind === 'landed' ? 'removed' : 'not_found' }
    },

    async noteFailure(ref, failures, error, startedAt, retryAt) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, keyOf(ref), {
              set: { failures, lastError: error, retryAt },
              compute: { failingSince: 'if_not_exists(#failingSince, :startedAt)' },
              condition: 'attribute_exists(#pk) AND (attribute_not_exists(#retryAt) OR #retryAt <= :startedAt)',
              values: { ':startedAt': startedAt },
            }),
          ),
        ),
      )
    },

    async noteSuccess(ref) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(update(table, keyOf(ref), { set: healthy, condition: 'attribute_exists(#pk)' })),
        ),
      )
    },
  }
}
