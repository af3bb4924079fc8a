import { Http, type HttpOptions } from './http.ts'
import { Live, type LiveOptions } from './live.ts'
import { Connections } from './resources/connections.ts'
import { Contacts } from './resources/contacts.ts'
import { Groups } from './resources/groups.ts'
import { Media } from './resources/media.ts'
import { Messages } from './resources/messages.ts'
import { Operations } from './resources/operations.ts'
import { Operators } from './resources/operators.ts'
import { Webhooks } from './resources/webhooks.ts'

export interface ClientOptions extends HttpOptions, LiveOptions {}

/** A typed client of Holdfast's REST and live API, for browsers and Node. Errors are `ProblemError`. */
export class HoldfastClient {
  /** The REST API below the methods: every call of the contract, typed by its method and path. */
  readonly http: Http
  readonly connections: Connections
  readonly media: Media
  readonly messages: Messages
  readonly contacts: Contacts
  readonly groups: Groups
  readonly operations: Operations
  /** Opens its socket with the first listener. */
  readonly live: Live
  readonly webhooks: Webhooks
  /** With the admin key only. */
  readonly operators: Operators

  constructor(options: ClientOptions) {
    this.http = new Http(options)
    this.connections = new Connections(this.http)
    this.media = new Media(this.http, options.fetch)
    this.messages = new Messages(this.http)
    this.contacts = new Contacts(this.http)
    this.groups = new Groups(this.http)
    this.operations = new Operations(this.http)
    this.live = new Live(this.http, options)
    this.webhooks = new Webhooks(this.http)
    this.operators = new Operators(this.http)
  }
}
