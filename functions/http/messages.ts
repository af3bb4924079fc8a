import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import { given } from '../../shared/api/connections.ts'
import { type messageQuerySchema, toMessage } from '../../shared/api/messages.ts'
import { Problem } from '../../shared/api/problems.ts'
import { callRates } from '../../shared/aws/call-rates.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import { usage } from '../../shared/aws/usage.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import { originOf } from '../../shared/domain/trace.ts'
import { assertNever, type ConnectionRef, type Gesture, type PartitionId } from '../../shared/domain/words.ts'
import { configure, currentTrace } from '../config.ts'
import { count, log } from '../log.ts'
import { type AcceptSendOutcome, acceptSend } from '../sends/accept-send.ts'
import { isoNow } from '../time.ts'
import { burstSeconds, CallLimit } from './call-limit.ts'
import { countedAs, type Principals } from './principal.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'CONNECTIONS_TABLE',
  'MESSAGES_TABLE',
  'PARTITION_QUEUE_PREFIX',
  'MESSAGE_RETENTION_DAYS',
  'SENDS_PER_SECOND',
)
const documents = documentClient()
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const messages = apiMessages({ documents, table: config.MESSAGES_TABLE })
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })
const accountsTable = { documents, table: config.ACCOUNTS_TABLE }
const stores = {
  connections,
  messages,
  doorbells,
  usage: usage(accountsTable),
  retentionDays: config.MESSAGE_RETENTION_DAYS,
}
const limit = new CallLimit(callRates(accountsTable))

async function requireConnection(ref: ConnectionRef): Promise<void> {
  if ((await connections.get(ref)) === undefined) throw new Problem('connection_not_found')
}

/** Its partition, where it can do something now. */
async function connectedPartition(ref: ConnectionRef): Promise<PartitionId> {
  const connection = await connections.get(ref)
  if (connection === undefined) throw new Problem('connection_not_found')
  if (connection.status !== 'connected') throw new Problem('not_connected', { detail: connection.message })
  return connection.partition
}

const gesture = (partition: PartitionId, ref: ConnectionRef, gesture: Gesture): Promise<void> =>
  doorbells.ring(partition, { kind: 'gesture', ...ref, gestureId: randomUUID(), gesture })

export const handler = httpHandler({
  sendMessage: async ({ principal, params, headers, body, requestId }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    await limitSends(principal)
    const origin = originOf(requestId, currentTrace())
    const accepted = await acceptSend(stores, ref, body, headers['idempotency-key'], Date.now(), { origin })
    const row = acceptedRow(accepted)
    log.info('send accepted', { messageId: row.messageId, sendStatus: row.status })
    return { body: { messageId: row.messageId, status: row.status, ...given('error', row.error) } }
  },

  listMessages: async ({ principal, params, query }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const [page] = await Promise.all([list(ref, query), requireConnection(ref)])
    return { body: { items: page.items.map((row) => toMessage(row)), ...given('next', page.next) } }
  },

  getMessage: async ({ principal, params }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const [row] = await Promise.all([messages.get(ref, params.messageId), requireConnection(ref)])
    if (row === undefined) throw new Problem('message_not_found')
    if (row.direction === 'inbound' || row.receipts === undefined) return { body: toMessage(row) }
    return { body: toMessage(row, await messages.receipts(ref, row.whatsappId)) }
  },

  readMessage: async ({ principal, params }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const [row, partition] = await Promise.all([messages.get(ref, params.messageId), connectedPartition(ref)])
    if (row?.direction !== 'inbound') throw new Problem('message_not_found')
    await gesture(partition, ref, { kind: 'read', messageId: row.messageId })
    return { body: undefined }
  },

  setChatPresence: async ({ principal, params, body }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const partition = await connectedPartition(ref)
    await gesture(partition, ref, { kind: 'presence', chat: body.to.chat, presence: body.presence })
    return { body: undefined }
  },

  cancelMessage: async ({ principal, params }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    await requireConnection(ref)
    const outcome = await messages.cancel(ref, params.messageId, isoNow())
    switch (outcome.kind) {
      case 'cancelled':
        return { body: toMessage(outcome.row) }
      case 'not_cancellable':
        throw new Problem('not_cancellable', { detail: whyNot(outcome.row) })
      case 'not_found':
        throw new Problem('message_not_found')
      default:
        return assertNever(outcome)
    }
  },
})

/** @throws Problem 429 where the caller sends too often. A count that cannot be made refuses nobody. */
async function limitSends({ caller, sendsPerSecond }: Principals['tenant']): Promise<void> {
  const perSecond = sendsPerSecond ?? config.SENDS_PER_SECOND
  const rate = { perSecond, burst: perSecond * burstSeconds }
  const retryAfterSeconds = await limit
    .retryAfterSeconds(`${countedAs(caller)}#sends`, rate, Date.now())
    .catch((error: unknown) => log.error('sends of a caller not counted', { ...caller, error: error as Error }))
  if (retryAfterSeconds === undefined) return
  count('CallsRefused', 1)
  throw new Problem('rate_limited', { detail: `At most ${perSecond} sends a second.`, retryAfterSeconds })
}

function list(ref: ConnectionRef, query: z.output<typeof messageQuerySchema>) {
  const { status, chat, direction } = query
  const filter = { ...given('status', status), ...given('chat', chat?.chat), ...given('direction', direction) }
  return messages.list(ref, query.limit, query.next, filter)
}

const whyNot = ({ status }: OutboundRow): string =>
  status === 'queued' ? 'A worker has it: it may be leaving at this moment.' : `Its status is ${status}.`

function acceptedRow(outcome: AcceptSendOutcome) {
  switch (outcome.kind) {
    case 'accepted':
      return outcome.row
    case 'connection_not_found':
    case 'connection_deleting':
    case 'idempotency_conflict':
      throw new Problem(outcome.kind)
    case 'invalid_send_at':
      throw new Problem('invalid_request', {
        detail: `sendAt: ${outcome.reason}`,
        errors: [{ field: 'sendAt', message: outcome.reason }],
      })
    case 'too_many_waiting':
      throw new Problem(outcome.kind, {
        detail: `At most ${outcome.limit} sends of a connection may wait.`,
        retryAfterSeconds: 10,
      })
    case 'send_quota_reached':
      throw new Problem(outcome.kind, {
        detail: `It may send ${outcome.limit} messages a day.`,
        retryAfterSeconds: Math.ceil(outcome.retryAfterMs / 1_000),
      })
    default:
      return assertNever(outcome)
  }
}
