import { randomUUID } from 'node:crypto'
import { type Agent as HttpAgent, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import {
  BatchGetCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { type ClientOptions, documentClient } from './clients.ts'
import { decodeOutput, encodeInput } from './dynamo-json.ts'
import { CallRefused, guardedHttpAgent, guardedHttpsAgent, type MayCall } from './guarded-agents.ts'
import { PostSigner } from './signature.ts'

/**
 * A document client whose first attempt goes past the SDK's layers: the same request, with the SDK's credentials, to the endpoint
 * that it resolved, at a sixth of the CPU. Whatever is not plainly answered with 200 (a
 * refused condition, throttling, a broken connection, an expired key) is sent again by the SDK, which then retries, corrects
 * its clock, and throws what it always throws. A connector makes some requests for every message; functions do not need this.
 */
export function directDocumentClient(options: ClientOptions = {}): Pick<DynamoDBDocumentClient, 'send' | 'destroy'> {
  const attempts = options.attempts ?? 4
  const sdk = documentClient({ ...options, attempts: Math.max(1, attempts - 1) })
  const timeoutMs = options.requestTimeoutMs ?? 3_000
  let place: Place | undefined
  let transport: Transport | undefined
  let signer: PostSigner | undefined

  // Where the SDK sends to is the SDK's to find out: settings, environment and the account's own endpoint all have a say.
  sdk.middlewareStack.add(
    (next) => (args) => {
      place ??= placeOf(args.request)
      return next(args)
    },
    { step: 'finalizeRequest', priority: 'low', name: 'holdfastEndpoint' },
  )

  async function attempt(operation: string, input: object): Promise<object | undefined> {
    if (place === undefined || place.path !== '/') return undefined
    const body = encodeInput(input)
    transport ??= new Transport(place, options.sockets ?? 50, timeoutMs, options.mayCall)
    signer ??= new PostSigner({ region: await sdk.config.region(), service: 'dynamodb', host: place.host })
    const credentials = await sdk.config.credentials()
    // After the last wait before the wire.
    if (options.mayCall?.() === false) throw new CallRefused()
    const nowMs = Date.now() + sdk.config.systemClockOffset
    const answer = await transport.post(signer.sign(`DynamoDB_20120810.${operation}`, body, credentials, nowMs), body)
    return answer === undefined ? undefined : decodeOutput(answer)
  }

  async function send(command: DirectCommand): Promise<object> {
    const operation = operations.get(command.constructor)
    if (operation !== undefined) {
      // The same token in both ways, so that a transaction whose answer was lost is not made twice.
      if (operation === 'TransactWriteItems') (command.input as TransactInput).ClientRequestToken ??= randomUUID()
      try {
        const output = await attempt(operation, command.input)
        if (output !== undefined) return output
      } catch {
        // The SDK tries, and says what is wrong.
      }
    }
    return sdk.send(command as never)
  }

  return {
    send: send as DynamoDBDocumentClient['send'],
    destroy: () => {
      transport?.close()
      sdk.destroy()
    },
  }
}

interface DirectCommand {
  readonly input: object
}
interface TransactInput {
  ClientRequestToken?: string | undefined
}

const operations = new Map<unknown, string>([
  [GetCommand, 'GetItem'],
  [BatchGetCommand, 'BatchGetItem'],
  [PutCommand, 'PutItem'],
  [UpdateCommand, 'UpdateItem'],
  [DeleteCommand, 'DeleteItem'],
  [QueryCommand, 'Query'],
  [TransactWriteCommand, 'TransactWriteItems'],
])

interface Place {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  /** As the header says it. */
  readonly host: string
}

function placeOf(request: unknown): Place {
  const { protocol, hostname, port, path } = request as {
    protocol: string
    hostname: string
    port?: number
    path: string
  }
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return { protocol, hostname, ...(port === undefined ? {} : { port }), path, host }
}

/** POSTs over connections that are kept. */
class Transport {
  readonly #place: Place
  readonly #agent: HttpAgent
  readonly #timeoutMs: number

  constructor(place: Place, maxSockets: number, timeoutMs: number, mayCall: MayCall) {
    this.#place = place
    this.#timeoutMs = timeoutMs
    const settings = { keepAlive: true, maxSockets, scheduling: 'lifo' as const }
    this.#agent =
      place.protocol === 'https:' ? guardedHttpsAgent(settings, mayCall) : guardedHttpAgent(settings, mayCall)
  }

  /** The text of an answer with status 200; undefined for any other. Rejects where none came in time. */
  post(headers: Readonly<Record<string, string>>, body: string): Promise<string | undefined> {
    const { protocol, hostname, port, path } = this.#place
    const send = protocol === 'https:' ? httpsRequest : httpRequest
    return new Promise((resolve, reject) => {
      const request = send({
        agent: this.#agent,
        host: hostname,
        ...(port === undefined ? {} : { port }),
        path,
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        timeout: this.#timeoutMs,
      })
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('aborted', () => reject(new Error('the answer broke off')))
        response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString() : undefined))
      })
      // Of silence on the socket, before the answer and within it.
      request.on('timeout', () => request.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)))
      request.on('error', reject)
      request.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
