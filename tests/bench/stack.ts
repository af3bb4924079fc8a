/** Emulators for one connector process after another, filled with linked devices through the product's own stores. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Records } from '../../connector/auth/records.ts'
import type { AcceptSendStores } from '../../functions/sends/accept-send.ts'
import { readDockerfile } from '../../local/engine/containers/dockerfile.ts'
import { authStore } from '../../shared/aws/auth.ts'
import { encodeChanges } from '../../shared/aws/auth-codec.ts'
import type { ClientOptions } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger, type PartitionQueues } from '../../shared/aws/doorbells.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { newConnectionId, partitionOf } from '../../shared/aws/ids.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { ApiConnections } from '../../shared/domain/stores/connections.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { type DynamoLocal, type queuesAndObjectsAt, startDynamo, startQueuesAndObjects } from '../adapters/emulators.ts'
import { type Line, NodeProcess, root } from './children.ts'
import type { LinkedDevice } from './linked-devices.ts'

const businessProfileId = 'bp_bench000000000000000'
const partitionCount = 16
const storedAtOnce = 16

export interface Stack {
  readonly fleet: FleetStore
  /** What the functions that accept sends work on. */
  readonly accepting: Accepting
  /** Stores connections, in addition to those that are there. */
  store(devices: readonly LinkedDevice[]): Promise<readonly ConnectionRef[]>
  /** Starts `connector/main.ts`, with the defaults of production but for what is given. */
  connector(options: {
    readonly url: string
    readonly rootKey: string
    readonly maxConnections: number
    readonly deployment?: string
    readonly node?: readonly string[]
    readonly settings?: Readonly<Record<string, string>>
  }): NodeProcess
  /** kill -9, and what the platform's task state change then makes known. */
  kill(connector: NodeProcess): Promise<void>
  /** How many of the stored connections a worker holds at this moment, by the fleet's table. */
  heldBy(workerId: string): Promise<number>
  stop(): Promise<void>
}

export interface Services {
  readonly dynamo: DynamoLocal
  readonly aws: ReturnType<typeof queuesAndObjectsAt>
}

async function startEmulators(): Promise<Services> {
  const [dynamo, aws] = await Promise.all([startDynamo(), startQueuesAndObjects()])
  return { dynamo, aws }
}

export async function startStack(services: () => Promise<Services> = startEmulators): Promise<Stack> {
  const { dynamo, aws } = await services()
  const [connections, messages, fleetTable, auth] = await Promise.all([
    dynamo.fresh('connections'),
    dynamo.fresh('messages'),
    dynamo.fresh('fleet'),
    dynamo.fresh('auth'),
  ])
  const bucket = await aws.bucket('auth')
  const endpoint = await aws.queues.config.endpoint?.()
  const awsUrl = `http://127.0.0.1:${endpoint?.port}`
  const queuePrefix = `${awsUrl}/000000000000/`
  for (let partition = 0; partition < partitionCount; partition++) await aws.queue(`partition-${partition}.fifo`)
  await aws.queue('dead-letters.fifo')
  const fleet = fleetStore(fleetTable)
  const environment = {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_DYNAMODB: endpointOf(dynamo.options),
    AWS_ENDPOINT_URL_SQS: awsUrl,
    AWS_ENDPOINT_URL_S3: awsUrl,
    STAGE: 'bench',
    CONNECTIONS_TABLE: connections.table,
    MESSAGES_TABLE: messages.table,
    FLEET_TABLE: fleetTable.table,
    AUTH_TABLE: auth.table,
    AUTH_BUCKET: bucket,
    MEDIA_TABLE: 'media',
    MEDIA_BUCKET: 'media',
    PARTITION_QUEUE_PREFIX: queuePrefix,
    ...imageEnvironment(),
    PARTITION_COUNT: String(partitionCount),
    MESSAGE_RETENTION_DAYS: '90',
    MEDIA_RETENTION_DAYS: '30',
    DOORBELL_DLQ_URL: `${queuePrefix}dead-letters.fifo`,
  }
  const stores: Stores = {
    connections: apiConnections(connections),
    auth: authStore({ ...(auth as StoreTable), objects: aws.objects, bucket }),
  }
  const partitions = { queues: aws.queues, partitionQueuePrefix: queuePrefix }
  const stored: ConnectionRef[] = []
  return {
    fleet,
    accepting: {
      connections: stores.connections,
      messages: apiMessages(messages),
      doorbells: doorbellRinger(partitions),
      usage: { countSend: async () => 'counted' },
      retentionDays: 90,
      ...partitions,
    },
    async store(devices) {
      const refs = await storeDevices(stores, devices, partitionCount)
      stored.push(...refs)
      return refs
    },
    connector({ url, rootKey, maxConnections, deployment = '1', node = [], settings = {} }) {
      return new NodeProcess('connector', [...node, 'connector/main.ts'], {
        ...environment,
        ...settings,
        WHATSAPP_URL: url,
        WHATSAPP_ROOT_KEY: rootKey,
        MAX_CONNECTIONS: String(maxConnections),
        DEPLOYMENT: deployment,
      })
    },
    async kill(connector) {
      await connector.end()
      const workerId = await startedAs(connector)
      await fleet.markDead(workerId)
    },
    async heldBy(workerId) {
      const { partitions } = await fleet.view()
      const held = new Set(partitions.filter(({ owner }) => owner === workerId).map(({ partition }) => partition))
      return stored.filter(({ connectionId }) => held.has(partitionOf(connectionId, partitionCount))).length
    },
    async stop() {
      await Promise.all([dynamo.stop(), aws.stop()])
    },
  }
}

export type Accepting = AcceptSendStores & PartitionQueues

/** The worker's id, once it runs. */
export async function startedAs(connector: NodeProcess): Promise<string> {
  const { workerId } = await connector.says('it had started', ({ message }) => message === 'Connector started')
  return String(workerId)
}

/** Resolves once a connector has said that it restored so many, in one wave or several. */
export async function restoredAll(connector: NodeProcess, count: number): Promise<void> {
  const ends = ({ message }: Line): boolean => String(message).startsWith('Restored WhatsApp connections')
  const sum = (): number =>
    connector.lines.filter(ends).reduce((connected, line) => connected + Number(line.connected), 0)
  await connector.says(`it had restored ${count}`, () => sum() >= count)
}

/** What the image sets, which decides how the process uses memory. */
function imageEnvironment(): Readonly<Record<string, string>> {
  const instructions = readDockerfile(readFileSync(join(root, 'connector/Dockerfile'), 'utf8'), {})
  return Object.assign({}, ...instructions.map((each) => (each.kind === 'env' ? each.variables : {})))
}

function endpointOf({ endpoint }: ClientOptions): string {
  if (endpoint === undefined) throw new Error('DynamoDB Local: expected its endpoint')
  return endpoint
}

export interface Stores {
  readonly connections: ApiConnections
  readonly auth: AuthStore
}

function recordsOf(device: LinkedDevice): Records {
  const records = new Records()
  for (const [key, text] of device.records) records.set(key, text)
  return records
}

/** A row as it stands after a good day, and the auth state as a snapshot, as after its first compaction. */
export async function storeDevices(
  { connections, auth }: Stores,
  devices: readonly LinkedDevice[],
  partitions: number,
  profile: string = businessProfileId,
): Promise<readonly ConnectionRef[]> {
  const store = async (device: LinkedDevice): Promise<ConnectionRef> => {
    const ref = { businessProfileId: profile, connectionId: newConnectionId() }
    const claim = await auth.claim(ref, 0)
    if (claim.kind !== 'claimed') throw new Error(`auth state of ${ref.connectionId} is ${claim.kind}`)
    const snapshot = await auth.writeSnapshot(
      ref,
      0,
      0,
      randomUUID(),
      encodeChanges('snapshot', [...recordsOf(device).entries()]),
    )
    await auth.commitSnapshot(ref, 0, snapshot, 'linked')
    const now = new Date().toISOString()
    await connections.create({
      ...ref,
      label: `Bench ${device.phoneNumber}`,
      pairing: 'qr',
      phoneNumber: device.phoneNumber,
      partition: partitionOf(ref.connectionId, partitions),
      epoch: 0,
      version: 1,
      createdAt: now,
      updatedAt: now,
      linkedAt: now,
      lastConnectedAt: now,
      jid: device.jid,
      lid: device.lid,
      status: 'connected',
      reason: 'open',
      message: 'Connected to WhatsApp.',
    })
    return ref
  }
  const refs: ConnectionRef[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: storedAtOnce }, async () => {
      while (next < devices.length) {
        const index = next++
        refs[index] = await store(devices[index] as LinkedDevice)
      }
    }),
  )
  return refs
}
