import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { startWhatsAppSimulator } from '../../../local/whatsapp/server.ts'
import { authStore } from '../../../shared/aws/auth.ts'
import { apiConnections } from '../../../shared/aws/connections.ts'
import { doorbellRinger } from '../../../shared/aws/doorbells.ts'
import { fleetStore } from '../../../shared/aws/fleet.ts'
import { newConnectionId, newMessageId, partitionOf, whatsappIdOf } from '../../../shared/aws/ids.ts'
import { apiMessages } from '../../../shared/aws/messages.ts'
import type { ConnectionRow } from '../../../shared/domain/stores/connections.ts'
import type { OutboundRow } from '../../../shared/domain/stores/messages.ts'
import type { Origin } from '../../../shared/domain/trace.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { startQueuesAndObjects } from '../../adapters/emulators.ts'
import { sharedDynamo } from '../../adapters/shared-dynamo.ts'

const partitionCount = 4
const businessProfileId = 'bp_0123456789abcdefghij'

/** What the connector needs around it: DynamoDB Local, SQS and S3, a simulated WhatsApp; connectors are real processes. */
export async function startStack() {
  const [dynamo, aws, whatsapp] = await Promise.all([
    sharedDynamo(),
    startQueuesAndObjects(),
    startWhatsAppSimulator({ port: 0 }),
  ])
  const [connectionTable, messageTable, fleetTable, authTable] = await Promise.all([
    dynamo.fresh('connections'),
    dynamo.fresh('messages'),
    dynamo.fresh('fleet'),
    dynamo.fresh('auth'),
  ])
  const bucket = await aws.bucket('auth')
  const endpoint = await aws.queues.config.endpoint?.()
  const awsUrl = `http://127.0.0.1:${endpoint?.port}`
  // The emulator's own URLs have a host that is none.
  const queue = async (name: string) => {
    await aws.queue(name)
    return `${awsUrl}/000000000000/${name}`
  }
  for (let partition = 0; partition < partitionCount; partition++) await queue(`partition-${partition}.fifo`)
  const deadLetters = await queue('dead-letters.fifo')
  const partitionQueuePrefix = `${awsUrl}/000000000000/`
  const fleet = fleetStore(fleetTable)
  const connections = apiConnections(connectionTable)
  const messages = apiMessages(messageTable)
  const ringer = doorbellRinger({ queues: aws.queues, partitionQueuePrefix })
  const auth = authStore({ ...authTable, objects: aws.objects, bucket })
  const running: ConnectorProcess[] = []
  const metadata = await startMetadata()

  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    AWS_REGION: 'eu-west-1',
    STAGE: 'test',
    AWS_ACCESS_KEY_ID: 'tests',
    AWS_SECRET_ACCESS_KEY: 'tests',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_DYNAMODB: dynamo.options.endpoint ?? '',
    AWS_ENDPOINT_URL_SQS: awsUrl,
    AWS_ENDPOINT_URL_S3: awsUrl,
    CONNECTIONS_TABLE: connectionTable.table,
    MESSAGES_TABLE: messageTable.table,
    FLEET_TABLE: fleetTable.table,
    AUTH_TABLE: authTable.table,
    AUTH_BUCKET: bucket,
    MEDIA_TABLE: 'media',
    MEDIA_BUCKET: 'media',
    PARTITION_QUEUE_PREFIX: partitionQueuePrefix,
    PARTITION_COUNT: String(partitionCount),
    MAX_CONNECTIONS: '500',
    MESSAGE_RETENTION_DAYS: '90',
    MEDIA_RETENTION_DAYS: '30',
    DOORBELL_DLQ_URL: deadLetters,
    DOORBELL_WAIT_SECONDS: '1',
    LOG_LEVEL: 'debug',
    WHATSAPP_URL: whatsapp.url,
    WHATSAPP_ROOT_KEY: whatsapp.rootPublicKeyHex,
  }

  return {
    partitionCount,
    fleet,
    connections,
    messages,
    auth,
    environment,

    /** Starts `connector/main.ts`; under a shorter lease than in production, for the test that waits it out. */
    connector(revision = 1, overrides: Record<string, string> = {}): ConnectorProcess {
      const connector = new ConnectorProcess({
        ...environment,
        ECS_CONTAINER_METADATA_URI_V4: `${metadata.url}/${revision}/${randomUUID()}`,
        LEASE_MS: '6000',
        LEASE_MARGIN_MS: '600',
        RENEW_MS: '600',
        ...overrides,
      })
      running.push(connector)
      return connector
    },

    async createConnection(label: string): Promise<ConnectionRef> {
      const now = new Date().toISOString()
      const connectionId = newConnectionId()
      const ref = { businessProfileId, connectionId }
      const partition = partitionOf(connectionId, partitionCount)
      const commandId = randomUUID()
      const row: ConnectionRow = {
        ...ref,
        label,
        pairing: 'qr',
        partition,
        epoch: 0,
        version: 1,
        createdAt: now,
        updatedAt: now,
        status: 'qr_pending',
        reason: 'pairing_requested',
        message: 'Linking was asked for.',
        command: { commandId, kind: 'pair', requestedAt: now, method: 'qr' },
      }
      await connections.create(row)
      await ringer.ring(partition, { kind: 'command', command: 'pair', commandId, ...ref })
      return ref
    },

    async phone(phoneNumber: string): Promise<void> {
      await this.control('POST', '/phones', { phoneNumber })
    },

    async scan(phoneNumber: string, qr: string): Promise<void> {
      await this.control('POST', `/phones/${phoneNumber.slice(1)}/scan`, { qr })
    },

    async control(method: string, path: string, body?: unknown): Promise<unknown> {
      const answer = await fetch(`${whatsapp.controlUrl}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      const text = await answer.text()
      return text === '' ? undefined : JSON.parse(text)
    },

    /** Polls the row: there is no event to wait for in a table. */
    async until(ref: ConnectionRef, is: (row: ConnectionRow) => boolean, withinMs = 60_000): Promise<ConnectionRow> {
      for (const end = Date.now() + withinMs; ; ) {
        const row = await connections.get(ref)
        if (row !== undefined && is(row)) return row
        if (Date.now() > end) throw new Error(`connection not so within ${withinMs} ms: ${JSON.stringify(row)}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },

    async accept(ref: ConnectionRef, to: string, body: string, ring = true, origin?: Origin): Promise<OutboundRow> {
      const messageId = newMessageId()
      const whatsappId = whatsappIdOf(messageId)
      const now = new Date()
      const partition = partitionOf(ref.connectionId, partitionCount)
      const accepted = await messages.accept({
        ...ref,
        key: `out#${whatsappId}`,
        messageId,
        whatsappId,
        chat: `${to.slice(1)}@s.whatsapp.net`,
        to,
        direction: 'outbound',
        content: { type: 'text', text: { body } },
        status: 'queued',
        version: 1,
        epoch: 0,
        partition,
        waitingPartition: partition,
        generation: 1,
        deadlineAt: new Date(now.getTime() + 3_600_000).toISOString(),
        bodyHash: 'hash',
        ...(origin === undefined ? {} : { origin }),
        createdAt: now.toISOString(),
        updatedAt: now.toISOString(),
        expireAt: Math.floor(now.getTime() / 1_000) + 86_400,
      })
      if (accepted.kind !== 'created') throw new Error(`not created: ${accepted.kind}`)
      if (ring) await ringer.ring(partition, { kind: 'send', messageId, generation: 1, ...ref })
      return accepted.row
    },

    /** Where a send has come to, once it is no longer queued. */
    async leavesQueued(ref: ConnectionRef, messageId: string, withinMs = 60_000): Promise<string> {
      for (const end = Date.now() + withinMs; Date.now() < end; ) {
        const row = await messages.get(ref, messageId)
        if (row?.direction === 'outbound' && row.status !== 'queued') return row.status
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error(`message ${messageId} is still queued after ${withinMs} ms`)
    },

    /** kill -9 for all that still run, known to the fleet as the platform would tell it; returns what each printed. */
    async killAll(): Promise<string[][]> {
      const all = running.splice(0)
      await Promise.all(all.map((connector) => connector.kill()))
      const { workers } = await fleet.view()
      await Promise.all(workers.map((worker) => fleet.markDead(worker.workerId)))
      return all.map((connector) => connector.printed)
    },

    async stop(): Promise<void> {
      await this.killAll()
      await Promise.all([dynamo.stop(), aws.stop(), whatsapp.close(), metadata.stop()])
    },
  }
}

/** The task metadata endpoint of ECS: `/<revision>/<task>/task`. */
async function startMetadata() {
  const server = createServer((request, response) => {
    const [, revision, task] = (request.url ?? '').split('/')
    const TaskARN = `arn:aws:ecs:eu-west-1:123456789012:task/holdfast/${task}`
    response.end(JSON.stringify({ TaskARN, Family: 'connector', Revision: revision }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

export class ConnectorProcess {
  readonly child: ChildProcess
  readonly #env: Record<string, string>
  readonly lines: LogLine[] = []
  /** Everything it printed, as it was printed. */
  readonly printed: string[] = []
  readonly exited: Promise<number | string>
  #waiting: { readonly is: (line: LogLine) => boolean; readonly resolve: (line: LogLine) => void }[] = []

  constructor(env: Record<string, string>) {
    this.#env = env
    this.child = spawn(process.execPath, ['connector/main.ts'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.exited = once(this.child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
    // A test that ends badly leaves no connector behind.
    const kill = () => this.child.kill('SIGKILL')
    process.once('exit', kill)
    void this.exited.then(() => process.off('exit', kill))
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#read(line))
    }
  }

  #read(text: string): void {
    this.printed.push(text)
    let line: LogLine
    try {
      line = JSON.parse(text) as LogLine
    } catch {
      return
    }
    this.lines.push(line)
    this.#waiting = this.#waiting.filter(({ is, resolve }) => {
      if (!is(line)) return true
      resolve(line)
      return false
    })
  }

  /** The first line, said already or yet to come, whose message starts like that. */
  async says(start: string): Promise<LogLine> {
    const is = (line: LogLine) => line.message?.startsWith(start)
    const said = this.lines.find(is)
    if (said !== undefined) return said
    return Promise.race([
      new Promise<LogLine>((resolve) => this.#waiting.push({ is, resolve })),
      this.exited.then((code) => {
        throw new Error(`ended with ${code} before it said "${start}":\n${this.printed.slice(-30).join('\n')}`)
      }),
    ])
  }

  /** Runs the container's health check beside it. */
  async healthCheck(): Promise<{ readonly code: number; readonly printed: string }> {
    const check = spawn(process.execPath, ['connector/health-check.ts'], { env: this.#env })
    let printed = ''
    check.stdout.on('data', (data) => {
      printed += String(data)
    })
    const [code] = (await once(check, 'exit')) as [number]
    return { code, printed }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGCONT')
      this.child.kill('SIGKILL')
    }
    await this.exited
  }
}
