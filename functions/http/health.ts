import { GetCommand } from '@aws-sdk/lib-dynamodb'
import type { HealthDetails } from '../../shared/api/health.ts'
import { Problem } from '../../shared/api/problems.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { deadLetterQueue } from '../../shared/aws/dead-letters.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { configure, stage } from '../config.ts'
import { detailsOf } from '../health/details.ts'
import { log } from '../log.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'CONNECTIONS_TABLE',
  'MESSAGES_TABLE',
  'FLEET_TABLE',
  'PARTITION_COUNT',
  'VERSION',
  'SENDS_DLQ_URL',
  'SENDS_FIFO_DLQ_URL',
  'DOORBELL_DLQ_URL',
  'PUBLISH_DLQ_URL',
  'EVENTS_DLQ_URL',
  'WEBHOOKS_DLQ_URL',
)
const documents = documentClient({ attempts: 2, requestTimeoutMs: 1_500, connectionTimeoutMs: 1_000 })
const fleet = fleetStore({ documents, table: config.FLEET_TABLE })
const queues = queueClient()
const deadLetterUrls = {
  sends: config.SENDS_DLQ_URL,
  'sends-fifo': config.SENDS_FIFO_DLQ_URL,
  doorbells: config.DOORBELL_DLQ_URL,
  publish: config.PUBLISH_DLQ_URL,
  events: config.EVENTS_DLQ_URL,
  webhooks: config.WEBHOOKS_DLQ_URL,
}

/** Without these no call is answered well. A key that nobody has: what counts is that there is an answer. */
const needed = [
  { TableName: config.ACCOUNTS_TABLE, Key: { pk: 'health', sk: 'health' } },
  { TableName: config.CONNECTIONS_TABLE, Key: { businessProfileId: 'health', connectionId: 'health' } },
  { TableName: config.MESSAGES_TABLE, Key: { connectionKey: 'health', key: 'health' } },
]
/** Everybody may ask: however often, the tables are asked once in this time by each process. */
const goodForMs = 2_000
let goodUntilMs = 0
let asking: Promise<void> | undefined

async function requireTables(): Promise<void> {
  if (Date.now() < goodUntilMs) return
  asking ??= Promise.all(needed.map((get) => documents.send(new GetCommand(get))))
    .then(() => {
      goodUntilMs = Date.now() + goodForMs
    })
    .finally(() => {
      asking = undefined
    })
  try {
    await asking
  } catch (cause) {
    log.error('a table cannot be read', { error: cause as Error })
    throw new Problem('unavailable', { detail: 'The tables cannot be read.', retryAfterSeconds: 5, cause })
  }
}

async function details(): Promise<HealthDetails> {
  const [view, ...counts] = await Promise.all([
    fleet.view(),
    ...Object.entries(deadLetterUrls).map(async ([queue, url]) => {
      const { messages, hidden } = await deadLetterQueue(queues, url).count()
      return [queue, messages + hidden] as const
    }),
  ])
  return detailsOf(view, config.PARTITION_COUNT, Object.fromEntries(counts) as HealthDetails['deadLetters'])
}

/** Whether this deployment can serve: for whoever sends it calls, and with the admin key for whoever looks after it. */
export const handler = httpHandler({
  health: async ({ principal }) => {
    await requireTables()
    const answer = { status: 'ok', stage: stage(), version: config.VERSION } as const
    return { body: principal === undefined ? answer : { ...answer, details: await details() } }
  },
})
