import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import { usage } from '../../shared/aws/usage.ts'
import { originOf, sampledTrace } from '../../shared/domain/trace.ts'
import { configure, currentTrace } from '../config.ts'
import { log } from '../log.ts'
import { acceptSend } from '../sends/accept-send.ts'
import { parseQueuedSend } from '../sends/queued-send.ts'
import { rejectSend } from '../sends/reject-send.ts'
import { acceptInTurn } from './in-turn.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'CONNECTIONS_TABLE',
  'MESSAGES_TABLE',
  'PARTITION_QUEUE_PREFIX',
  'MESSAGE_RETENTION_DAYS',
  'SENDS_DLQ_URL',
  'SENDS_FIFO_DLQ_URL',
)
const documents = documentClient()
const queues = queueClient()
const stores = {
  connections: apiConnections({ documents, table: config.CONNECTIONS_TABLE }),
  messages: apiMessages({ documents, table: config.MESSAGES_TABLE }),
  doorbells: doorbellRinger({ queues, partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX }),
  usage: usage({ documents, table: config.ACCOUNTS_TABLE }),
  retentionDays: config.MESSAGE_RETENTION_DAYS,
}
const deadLetters = { queues, standardUrl: config.SENDS_DLQ_URL, fifoUrl: config.SENDS_FIFO_DLQ_URL }

/** The sends queues: the way in for other AWS services. What cannot be accepted goes to the dead-letter queue with the reason. */
export const handler = middy<SQSEvent, SQSBatchResponse>().handler(async (event) => {
  log.resetKeys()
  const failed = await acceptInTurn(event.Records, accept)
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) }
})

/** Rejects where the message must come again. */
async function accept(record: SQSRecord): Promise<void> {
  const parsed = parseQueuedSend(record.body)
  if (parsed.kind === 'malformed') return rejectSend(deadLetters, record, parsed)
  const { businessProfileId, connectionId, idempotencyKey = `sqs:${record.messageId}` } = parsed.send
  const ref = { businessProfileId, connectionId }
  const outcome = await acceptSend(stores, ref, parsed.send, idempotencyKey, Date.now(), {
    askedAtMs: postedAt(record),
    origin: originOf(record.messageId, sampledTrace(record.attributes.AWSTraceHeader) ?? currentTrace()),
  })
  switch (outcome.kind) {
    case 'accepted': {
      const { messageId, status } = outcome.row
      log.info('send accepted', { connectionId, messageId, sendStatus: status, sqsMessageId: record.messageId })
      return
    }
    case 'too_many_waiting':
      throw new Error(`connection ${connectionId} has its limit of ${outcome.limit} waiting sends`)
    case 'invalid_send_at':
      return rejectSend(deadLetters, record, { code: outcome.kind, reason: `sendAt: ${outcome.reason}` })
    default:
      return rejectSend(deadLetters, record, { code: outcome.kind, reason: reasons[outcome.kind] })
  }
}

/** A message may wait in the queue while its time comes. */
function postedAt({ attributes }: SQSRecord): number {
  const postedMs = Number(attributes.SentTimestamp)
  return Number.isFinite(postedMs) && postedMs > 0 ? postedMs : Date.now()
}

const reasons = {
  send_quota_reached: 'The business profile has sent all that it may today.',
  connection_not_found: 'Connection not found.',
  connection_deleting: 'The connection is being deleted.',
  idempotency_conflict: 'The idempotency key was used with another body.',
} as const
