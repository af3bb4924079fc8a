import type { Connection, HoldfastClient, LiveEventName, Message } from '../../shared/client/index.ts'

/** One event as the monitor shows it. */
export interface Heard {
  readonly key: number
  readonly at: Date
  readonly event: string
  readonly connectionId?: string
  readonly data: unknown
}

/** `offline`: the browser itself says that there is no network. */
export type Link = 'connecting' | 'open' | 'reconnecting' | 'closed' | 'offline'

export interface LiveState {
  readonly link: Link
  /** The first snapshot has come: an empty list is an answer from then on. */
  readonly complete: boolean
  /** How many snapshots came: after each, what was missed meanwhile may be asked for. */
  readonly snapshots: number
  readonly connections: readonly Connection[]
  /** Newest first. */
  readonly heard: readonly Heard[]
  /** What cannot be mended by trying again. */
  readonly problem?: Error
}

const changes = [
  'connection-created',
  'connection-updated',
  'connection-deleted',
  'whatsapp-qr',
  'whatsapp-connected',
  'whatsapp-reconnecting',
  'whatsapp-disconnected',
  'message-status',
  'message-received',
  'message-reaction',
  'message-edited',
  'message-deleted',
  'poll-vote',
] as const satisfies readonly LiveEventName[]

const heardMax = 500

/** What the live API tells, as a store that React reads. */
export class LiveStore {
  readonly #client: HoldfastClient
  readonly #listeners = new Set<() => void>()
  readonly #onMessage = new Set<(message: Message) => void>()
  readonly #stops: (() => void)[] = []
  #state: LiveState = { link: 'connecting', complete: false, snapshots: 0, connections: [], heard: [] }
  #count = 0

  constructor(client: HoldfastClient) {
    this.#client = client
  }

  readonly state = (): LiveState => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Every message that changes, of all connections. */
  onMessage(listener: (message: Message) => void): () => void {
    this.#onMessage.add(listener)
    return () => this.#onMessage.delete(listener)
  }

  start(): void {
    const { live } = this.#client
    for (const name of changes) this.#stops.push(live.on(name, (data) => this.#changed(name, data)))
    this.#stops.push(
      live.on('snapshot', () => {
        const snapshots = this.#state.snapshots + 1
        this.#set({ complete: true, snapshots, connections: this.#listed(), link: 'open' })
      }),
      live.on('state', ({ kind }) => this.#set({ link: kind === 'closed' && !navigator.onLine ? 'offline' : kind })),
      live.on('error', (problem) => this.#set({ problem })),
      this.#followNetwork(),
    )
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
    this.#client.live.close()
  }

  /** A browser without a network knows it at once; a socket would notice it minutes later. */
  #followNetwork(): () => void {
    const { live } = this.#client
    const offline = () => {
      live.close()
      this.#set({ link: 'offline' })
    }
    const online = () => {
      this.#set({ link: 'reconnecting' })
      live.open()
    }
    addEventListener('offline', offline)
    addEventListener('online', online)
    if (!navigator.onLine) offline()
    return () => {
      removeEventListener('offline', offline)
      removeEventListener('online', online)
    }
  }

  /** A change that was just made by a request, which its event will repeat. */
  refresh(): void {
    this.#set({ connections: this.#listed() })
  }

  clearHeard(): void {
    this.#set({ heard: [] })
  }

  #changed(event: string, data: unknown): void {
    const { connectionId } = data as { connectionId?: string }
    this.#count += 1
    const heard: Heard = {
      key: this.#count,
      at: new Date(),
      event,
      data,
      ...(connectionId === undefined ? {} : { connectionId }),
    }
    this.#set({ heard: [heard, ...this.#state.heard].slice(0, heardMax), connections: this.#listed() })
    if (isMessage(data)) for (const listener of this.#onMessage) listener(data)
  }

  #listed(): readonly Connection[] {
    return [...this.#client.live.connections.values()].sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  }

  #set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of this.#listeners) listener()
  }
}

function isMessage(data: unknown): data is Message {
  return typeof data === 'object' && data !== null && 'messageId' in data && 'direction' in data
}
