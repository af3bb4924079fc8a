import { type Agent, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { ClientOptions } from './clients.ts'
import { CallRefused, guardedHttpAgent, guardedHttpsAgent, type MayCall } from './guarded-agents.ts'
import { PostSigner, type SigningCredentials } from './signature.ts'

/** What is asked of an SDK client: where it sends to, as whom, and by which clock. */
export interface SdkClient {
  readonly middlewareStack: {
    add(
      middleware: never,
      options: { readonly step: 'finalizeRequest'; readonly priority: 'low'; readonly name: string },
    ): void
  }
  readonly config: {
    region(): Promise<string>
    credentials(): Promise<SigningCredentials>
    readonly systemClockOffset: number
  }
}

/**
 * Requests to a service that speaks JSON 1.0, past the layers of its SDK client: the same request, with the SDK's credentials, to
 * the endpoint that it resolved, at a sixth of the CPU. Whatever is not plainly answered with 200 (a refused condition,
 * throttling, a broken connection, an expired key) is for the SDK to send again, which then retries, corrects its
 * clock, and throws what it always throws. Functions do not need this.
 */
export class DirectPosts {
  readonly #client: SdkClient
  readonly #service: string
  readonly #mayCall: MayCall
  readonly #transport: Transport
  /** By queue, or the only one. */
  readonly #places = new Map<string | undefined, { readonly place: Place; readonly signer: PostSigner }>()

  /** @param options `silenceMs`: of the socket, before the answer and within it */
  constructor(
    client: SdkClient,
    options: Pick<ClientOptions, 'mayCall' | 'sockets'> & { readonly service: string; readonly silenceMs: number },
  ) {
    this.#client = client
    this.#service = options.service
    this.#mayCall = options.mayCall
    this.#transport = new Transport(options.sockets ?? 50, options.silenceMs, options.mayCall)
    // Where the SDK sends to is the SDK's to find out: settings, environment and the account's own endpoint all have a say.
    const see =
      <Answer>(next: (args: SdkArguments) => Promise<Answer>) =>
      async (args: SdkArguments): Promise<Answer> => {
        await this.#see(args)
        return next(args)
      }
    client.middlewareStack.add(see as never, { step: 'finalizeRequest', priority: 'low', name: 'holdfastEndpoint' })
  }

  /**
   * @param target of the header `x-amz-target`
   * @param write makes the body; where it throws, only the SDK can write it
   * @param read of an answer with status 200
   * @param queue the input's `QueueUrl`, where it has one
   * @returns undefined: send it with the SDK
   */
  async post(
    target: string,
    write: () => string,
    read: (text: string) => object,
    queue?: string,
  ): Promise<object | undefined> {
    const known = this.#places.get(queue)
    if (known === undefined || known.place.path !== '/') return undefined
    try {
      const body = write()
      const { config } = this.#client
      const credentials = await config.credentials()
      // After the last wait before the wire.
      if (this.#mayCall?.() === false) throw new CallRefused()
      const headers = known.signer.sign(target, body, credentials, Date.now() + config.systemClockOffset)
      const answer = await this.#transport.post(known.place, headers, body)
      return answer === undefined ? undefined : read(answer)
    } catch {
      // The SDK tries, and says what is wrong.
      return undefined
    }
  }

  close(): void {
    this.#transport.close()
  }

  async #see({ input, request }: SdkArguments): Promise<void> {
    const queue = input.QueueUrl
    if (this.#places.has(queue)) return
    const place = placeOf(request)
    const region = await this.#client.config.region()
    this.#places.set(queue, { place, signer: new PostSigner({ region, service: this.#service, host: place.host }) })
  }
}

interface SdkArguments {
  readonly input: { readonly QueueUrl?: string }
  readonly request: Omit<Place, 'host'>
}

interface Place {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  /** As the header says it. */
  readonly host: string
}

function placeOf({ protocol, hostname, port, path }: Omit<Place, 'host'>): Place {
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return { protocol, hostname, ...(port === undefined ? {} : { port }), path, host }
}

/** POSTs over connections that are kept. */
class Transport {
  readonly #agents: { readonly http: Agent; readonly https: Agent }
  readonly #silenceMs: number

  constructor(maxSockets: number, silenceMs: number, mayCall: MayCall) {
    this.#silenceMs = silenceMs
    const settings = { keepAlive: true, maxSockets, scheduling: 'lifo' as const }
    this.#agents = { http: guardedHttpAgent(settings, mayCall), https: guardedHttpsAgent(settings, mayCall) }
  }

  /** The text of an answer with status 200; undefined for any other. Rejects where none came in time. */
  post(place: Place, headers: Readonly<Record<string, string>>, body: string): Promise<string | undefined> {
    const { protocol, hostname, port, path } = place
    const secure = protocol === 'https:'
    const send = secure ? httpsRequest : httpRequest
    return new Promise((resolve, reject) => {
      const request = send({
        agent: secure ? this.#agents.https : this.#agents.http,
        host: hostname,
        ...(port === undefined ? {} : { port }),
        path,
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        timeout: this.#silenceMs,
      })
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('aborted', () => reject(new Error('the answer broke off')))
        response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString() : undefined))
      })
      // Of silence on the socket, before the answer and within it.
      request.on('timeout', () => request.destroy(new Error(`no answer within ${this.#silenceMs} ms`)))
      request.on('error', reject)
      request.end(body)
    })
  }

  close(): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }
}
