import { Http, type HttpOptions } from './http.ts'
import { Live, type LiveOptions } from './live.ts'
import { Connections } from './resources/connections.ts'
import { Media } from './resources/media.ts'
import { Messages } from './resources/messages.ts'

export interface ClientOptions extends HttpOptions, Partial<LiveOptions> {}

/** A typed client of Holdfast's REST and live API, for browsers and Node. Errors are `ProblemError`. */
export class HoldfastClient {
  /** The REST API below the methods: every call of the contract, typed by its method and path. */
  readonly http: Http
  readonly connections: Connections
  readonly media: Media
  readonly messages: Messages
  readonly #live: Live | undefined

  constructor(options: ClientOptions) {
    this.http = new Http(options)
    this.connections = new Connections(this.http)
    this.media = new Media(this.http, options.fetch)
    this.messages = new Messages(this.http)
    const { liveUrl } = options
    this.#live = liveUrl === undefined ? undefined : new Live(this.http, { ...options, liveUrl })
  }

  /** Throws when the client was made without `liveUrl`. */
  get live(): Live {
    if (this.#live === undefined) throw new Error('liveUrl: give it to the client to use the live API')
    return this.#live
  }
}
