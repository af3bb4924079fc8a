import { setTimeout as delay } from 'node:timers/promises'
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'

/** What adapters use of a document client. */
export type Documents = Pick<DynamoDBDocumentClient, 'send'>

/** Where an adapter reads and writes. */
export interface StoreTable {
  readonly documents: Documents
  /** Name of the table. */
  readonly table: string
}

/** An item as it comes out of a table, not yet known to be anything. */
export type Item = Readonly<Record<string, unknown>>

/** A conditional write's end that is an answer, not a failure. */
export type Conditional<T> =
  | { readonly kind: 'landed'; readonly output: T }
  /** The condition was false; `item` is what is stored, absent where nothing is. */
  | { readonly kind: 'refused'; readonly item?: Item }

/** One per item of a refused transaction, in its order. */
export interface Refusal {
  readonly refused: boolean
  readonly item?: Item
}

const passing = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])

/**
 * True where two writes met, or a part of a transaction was throttled: nothing was written, and the same request may land
 * next. The SDK tries again for throttled requests, but not for these.
 */
export function isConflict(error: unknown): boolean {
  if (error instanceof TransactionConflictException) return true
  return (
    error instanceof TransactionCanceledException &&
    (error.CancellationReasons ?? []).some((reason) => passing.has(reason.Code ?? ''))
  )
}

const transientNames = new Set([
  'InternalServerError',
  'InternalFailure',
  'KmsThrottled',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
  'SlowDown',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
  'TransactionInProgressException',
])
const transientCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT'])

/** Whether the same request may succeed later without anything being changed: throttling, 5xx, a broken connection. */
export function isTransient(error: unknown): boolean {
  if (isConflict(error)) return true
  if (!(error instanceof Error)) return false
  if (transientNames.has(error.name)) return true
  if ('code' in error && typeof error.code === 'string' && transientCodes.has(error.code)) return true
  if (!('$metadata' in error)) return false
  const status = (error.$metadata as { readonly httpStatusCode?: number }).httpStatusCode
  return status !== undefined && (status >= 500 || status === 429)
}

const conflictAttempts = 8
const conflictDelayMs = 15
const conflictDelayMsMax = 400

/** Tries again, with full jitter, while the request only met another; the eighth conflict in a row is thrown. */
export async function withoutConflict<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries === conflictAttempts || !isConflict(error)) throw error
      await delay(Math.random() * Math.min(conflictDelayMsMax, conflictDelayMs * 2 ** tries))
    }
  }
}

/**
 * A conditional write of one item. Throws what is neither an answer nor a conflict. The request should ask for
 * `ReturnValuesOnConditionCheckFailure: 'ALL_OLD'`, so that the reason needs no second read.
 */
export async function conditional<T>(attempt: () => Promise<T>): Promise<Conditional<T>> {
  try {
    return { kind: 'landed', output: await withoutConflict(attempt) }
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error
    return error.Item === undefined ? { kind: 'refused' } : { kind: 'refused', item: unmarshall(error.Item) }
  }
}

/** All writes or none. Throws what is neither an answer nor a conflict. */
export async function transaction(
  documents: Documents,
  writes: NonNullable<TransactWriteCommandInput['TransactItems']>,
): Promise<{ readonly kind: 'landed' } | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] }> {
  try {
    await withoutConflict(() => documents.send(new TransactWriteCommand({ TransactItems: writes })))
    return { kind: 'landed' }
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error
    const reasons = error.CancellationReasons ?? []
    const refusals = reasons.map((reason) => ({
      refused: reason.Code === 'ConditionalCheckFailed',
      ...(reason.Item === undefined ? {} : { item: unmarshall(reason.Item) }),
    }))
    // The error may be logged, and what is stored may be auth state.
    for (const reason of reasons) delete reason.Item
    // With a conflict beside it a false condition is half an answer; anything else (a validation error, say) is none.
    if (isConflict(error) || !refusals.some((refusal) => refusal.refused)) throw error
    return { kind: 'refused', refusals }
  }
}

/** Every item of a query, page after page. */
export async function queryAll(documents: Documents, input: QueryCommandInput): Promise<Item[]> {
  const items: Item[] = []
  let start: QueryCommandInput['ExclusiveStartKey']
  do {
    const page = await documents.send(new QueryCommand({ ...input, ExclusiveStartKey: start }))
    items.push(...(page.Items ?? []))
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  return items
}

/** The first `limit` items of a query, and whether there are more: a page never ends in front of nothing. */
export async function queryPage(
  documents: Documents,
  input: QueryCommandInput,
  limit: number,
): Promise<{ readonly items: readonly Item[]; readonly more: boolean }> {
  const items: Item[] = []
  let start = input.ExclusiveStartKey
  do {
    const page = await documents.send(
      new QueryCommand({ ...input, Limit: limit + 1 - items.length, ExclusiveStartKey: start }),
    )
    items.push(...(page.Items ?? []))
    start = page.LastEvaluatedKey
  } while (start !== undefined && items.length <= limit)
  return { items: items.slice(0, limit), more: items.length > limit }
}
