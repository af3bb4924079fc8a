import { CreateQueueCommand, DeleteMessageCommand, type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import type { AttributeValue, Context, DynamoDBRecord } from 'aws-lambda'
import { accounts } from '../../shared/aws/accounts.ts'
import { apiConnections, workerConnections } from '../../shared/aws/connections.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { startQueuesAndObjects } from '../adapters/emulators.ts'
import { sharedDynamo } from '../adapters/shared-dynamo.ts'
import { startFakeServices } from './fake-services.ts'

export const adminApiKey = 'admin-key-of-the-tests'
/** Few, so that every partition queue can be looked at. */
export const partitions = 2

/** Emulators with all tables and queues, and the functions' environment pointing there. Import handlers only afterwards. */
export async function startCloud() {
  const [dynamo, sqs, services] = await Promise.all([
    sharedDynamo(),
    startQueuesAndObjects(),
    startFakeServices(adminApiKey),
  ])
  const [connections, messages, fleet, live, accountsTable, media, webhooks] = await Promise.all([
    dynamo.fresh('connections'),
    dynamo.fresh('messages'),
    dynamo.fresh('fleet'),
    dynamo.fresh('live'),
    dynamo.fresh('accounts'),
    dynamo.fresh('media'),
    dynamo.fresh('webhooks'),
  ])
  const { port } = (await sqs.queues.config.endpoint?.()) ?? {}
  const sqsUrl = `http://127.0.0.1:${port}`
  // The emulator names hosts that do not resolve; the SDK goes where the queue's URL says.
  const reachable = (url: string): string => sqsUrl + url.slice(url.indexOf('/', 'http://'.length))
  const standardQueue = async (name: string): Promise<string> => {
    const { QueueUrl } = await sqs.queues.send(new CreateQueueCommand({ QueueName: name }))
    if (QueueUrl === undefined) throw new Error(`queue ${name}: expected a URL`)
    return reachable(QueueUrl)
  }
  const partitionUrls: string[] = []
  for (let n = 0; n < partitions; n++) partitionUrls.push(reachable(await sqs.queue(`hf-partition-${n}.fifo`)))
  const urls = {
    sendsDlq: await standardQueue('sends-dlq'),
    sendsFifoDlq: reachable(await sqs.queue('sends-dlq.fifo')),
    publishRetry: await standardQueue('publish-retry'),
    publishDlq: await standardQueue('publish-dlq'),
    doorbellDlq: reachable(await sqs.queue('doorbell-dlq.fifo')),
    sends: await standardQueue('sends'),
    sendsFifo: reachable(await sqs.queue('sends.fifo')),
    eventsRetry: await standardQueue('events-retry'),
    eventsDlq: await standardQueue('events-dlq'),
    webhooks: reachable(await sqs.queue('webhooks.fifo')),
    webhooksDlq: reachable(await sqs.queue('webhooks-dlq.fifo')),
  }
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    STAGE: 'test',
    AWS_ACCESS_KEY_ID: 'tests',
    AWS_SECRET_ACCESS_KEY: 'tests',
    AWS_ENDPOINT_URL_DYNAMODB: dynamo.options.endpoint,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    AWS_ENDPOINT_URL_S3: sqsUrl,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: services.url,
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'SILENT',
    CONNECTIONS_TABLE: connections.table,
    MESSAGES_TABLE: messages.table,
    FLEET_TABLE: fleet.table,
    LIVE_TABLE: live.table,
    AUTH_TABLE: 'auth-of-no-test',
    AUTH_BUCKET: 'bucket-of-no-test',
    ACCOUNTS_TABLE: accountsTable.table,
    MEDIA_TABLE: media.table,
    MEDIA_BUCKET: await sqs.bucket('media'),
    PARTITION_QUEUE_PREFIX: partitionUrls[0]?.replace(/partition-0\.fifo$/, ''),
    PARTITION_COUNT: String(partitions),
    VERSION: '0.0.0-test',
    MESSAGE_RETENTION_DAYS: '90',
    MEDIA_RETENTION_DAYS: '30',
    REQUESTS_PER_SECOND: '100',
    SENDS_PER_SECOND: '50',
    CONNECTOR_CONTAINER: 'connector',
    SENDS_DLQ_URL: urls.sendsDlq,
    SENDS_FIFO_DLQ_URL: urls.sendsFifoDlq,
    PUBLISH_RETRY_QUEUE_URL: urls.publishRetry,
    PUBLISH_DLQ_URL: urls.publishDlq,
    DOORBELL_DLQ_URL: urls.doorbellDlq,
    SENDS_QUEUE_URL: urls.sends,
    SENDS_FIFO_QUEUE_URL: urls.sendsFifo,
    LIVE_URL: 'wss://live.test/live',
    EVENT_BUS: 'holdfast-test',
    EVENTS_RETRY_QUEUE_URL: urls.eventsRetry,
    EVENTS_DLQ_URL: urls.eventsDlq,
    WEBHOOKS_TABLE: webhooks.table,
    WEBHOOKS_QUEUE_URL: urls.webhooks,
    WEBHOOKS_DLQ_URL: urls.webhooksDlq,
    WEBHOOKS_KEY_ARN: 'arn:aws:kms:eu-west-1:000000000000:key/webhooks',
    WEBHOOK_BACKOFF_BASE_MS: '50',
    AWS_ENDPOINT_URL_EVENTBRIDGE: services.url,
    AWS_ENDPOINT_URL_KMS: services.url,
    LIVE_CALLBACK_URL: `${services.url}/live`,
    ADMIN_API_KEY_SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:admin',
    WORKER_SILENCE_MS: '400',
  })

  /** Everything that is in the queue now. */
  async function drain(url: string): Promise<Message[]> {
    const all: Message[] = []
    for (;;) {
      const { Messages = [] } = await sqs.queues.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      )
      if (Messages.length === 0) return all
      for (const { ReceiptHandle } of Messages) {
        await sqs.queues.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }))
      }
      all.push(...Messages)
    }
  }

  return {
    services,
    urls,
    drain,
    changes: liveChanges(live),
    tables: { connections, messages, fleet, live, accounts: accountsTable, media, webhooks },
    stores: {
      accounts: accounts(accountsTable),
      connections: apiConnections(connections),
      worker: workerConnections(connections),
      messages: apiMessages(messages),
      workerMessages: workerMessages(messages),
      fleet: fleetStore(fleet),
      live: liveStore(live),
    },
    /** Doorbells that were rung since the last look, of all partitions. */
    async doorbells(): Promise<Record<string, unknown>[]> {
      const rung: Record<string, unknown>[] = []
      for (const [partition, url] of partitionUrls.entries()) {
        for (const { Body } of await drain(url)) rung.push({ partition, ...JSON.parse(Body ?? '') })
      }
      return rung
    },
    async stop(): Promise<void> {
      await Promise.all([dynamo.stop(), sqs.stop(), services.stop()])
    },
  }
}
export type Cloud = Awaited<ReturnType<typeof startCloud>>

/** What a Lambda function is given beside its event; ours read nothing of it. */
export const lambdaContext = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 15_000 } as Context

/** The item as it is stored, as a stream's image shows it. */
export async function image({ documents, table }: StoreTable, key: Record<string, string>) {
  const { Item } = await documents.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }))
  if (Item === undefined) throw new Error(`no item ${JSON.stringify(key)} in ${table}`)
  const stored = Object.entries(marshall(Item, { removeUndefinedValues: true }))
  // Lambda gives bytes in base64.
  const shown = stored.map(([name, value]) => [name, value.B ? { B: Buffer.from(value.B).toString('base64') } : value])
  return Object.fromEntries(shown) as Record<string, AttributeValue>
}
export type Image = Awaited<ReturnType<typeof image>>

let sequence = 0
export function streamRecord(images: { readonly before?: Image; readonly after?: Image }): DynamoDBRecord {
  const eventName = images.before === undefined ? 'INSERT' : images.after === undefined ? 'REMOVE' : 'MODIFY'
  return {
    eventID: `event-${++sequence}`,
    eventName,
    eventSource: 'aws:dynamodb',
    awsRegion: 'eu-west-1',
    dynamodb: {
      SequenceNumber: String(sequence).padStart(21, '0'),
      StreamViewType: 'NEW_AND_OLD_IMAGES',
      ...(images.before === undefined ? {} : { OldImage: images.before }),
      ...(images.after === undefined ? {} : { NewImage: images.after }),
    },
  }
}
