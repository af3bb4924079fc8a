/**
 * The promises, held against everything that happens. It sees what the tables really hold and who really owns what, and asks
 * nothing of the code under test.
 */
import type { ConnectionAuthState } from '../../connector/auth/auth-state.ts'
import type { OpenRequest } from '../../connector/ports.ts'
import { defaultLoginGateSettings, defaultSessionSettings } from '../../connector/session/settings.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, Epoch } from '../../shared/domain/words.ts'
import { durableState } from './durable-state.ts'
import type { AuthTables } from './models/auth.ts'
import type { ModelFleetStore } from './models/fleet.ts'
import { keyOf } from './models/network.ts'
import type { ModelTables } from './models/stores.ts'
import type { Thread } from './process.ts'
import type { CallWatcher } from './remote.ts'
import type { Service } from './weather.ts'
import type { ReceiptStep, ToServer } from './whatsapp/protocol.ts'
import type { World } from './world.ts'
import { landed, writeOf } from './writes.ts'

export const invariants = {
  oneHolder: 'no two running workers hold one connection',
  ownerOnly: 'only the owner of a partition acts for its connections',
  fenced: 'writes of a fenced owner never land',
  durable: 'no frame leaves whose state is not durable',
  ratchet: 'the ratchet never goes back',
  authKept: 'a linked connection never loses its auth state',
  loggedOut: 'a logged-out connection is never reconnected',
  attempts: 'attempts never exceed five in a row',
  singledOut:
    'only who was opening at three crashes in a row, and at the last of them on a worker that lived without it, is quarantined',
  acknowledged: 'what was acknowledged to WhatsApp is stored',
  ends: 'every accepted send ends sent or failed with a reason',
  truthful: 'what a row says of a send is true',
  shownOnce: 'a phone shows each message once',
  order: 'sends of one chat are shown in the order of acceptance',
  punctual: 'a scheduled send is not sent before its time',
  received: 'what a person wrote is stored',
  recovers: 'once faults stop, every linked connection is connected',
  uncaught: 'no error goes uncaught',
} as const

export interface AcceptedSend {
  readonly ref: ConnectionRef
  readonly messageId: string
  readonly whatsappId: string
  readonly chat: string
  readonly seq: number
  /** Scheduled for then. */
  readonly dueAt?: number
  /** When the caller asked, and when it was told. */
  readonly askedAt: number
  readonly answeredAt: number
}

export interface AuditedWorker {
  readonly workerId: string
  readonly running: boolean
  /** By its own clocks. */
  readonly leaseValid: boolean
  /** Holds logins back, without counting attempts. */
  readonly seesOutage: boolean
}

export interface AuditedState {
  readonly world: World
  readonly fleet: ModelFleetStore
  readonly tables: ModelTables
  readonly auth: AuthTables
  readonly workers: () => Iterable<AuditedWorker>
}

interface Openings {
  epoch: Epoch
  /** Since the last one that lasted, a person's command, or an outage. */
  inRow: number
  lastAt: number
  openSince: number | undefined
  /** The last one came to be open. */
  opened: boolean
  commandId: string | undefined
}

/** By worker, in order: how old it was when it last began to open a connection that has not been open since. */
type Openers = Map<string, number>

/** Clocks differ by a few per cent. */
const wakeGapMs = defaultSessionSettings.wakeGapMs * 0.9
const stableMs = defaultSessionSettings.stableAfterMs * 0.9
const provenAfterMs = defaultLoginGateSettings.provenAfterMs * 0.9
/** A first try, which is not counted, and five attempts; after them a wake at once, and one a minute at most. */
const openingsInRowMax = 1 + defaultSessionSettings.backoffAttemptsMax
/** By what the clocks of workers run too fast; by what they are set, the world knows. */
const clockErrorShare = 0.04

export class Audit implements CallWatcher {
  readonly #state: AuditedState
  /** Accepted sends, by WhatsApp id. */
  readonly sends = new Map<string, AcceptedSend>()
  /** Open sockets by connection: worker and number. */
  readonly #sockets = new Map<string, Map<string, number>>()
  readonly #openings = new Map<string, Openings>()
  readonly #openers = new Map<string, Openers>()
  readonly #startedAt = new Map<string, number>()
  readonly #identities = new Map<string, string>()
  readonly #onceUnlinked = new Set<string>()
  readonly #asked = new Set<string>()
  readonly #arrived = new Set<string>()
  /** WhatsApp ids in the order in which people saw them, by connection and chat. */
  readonly #shown = new Map<string, readonly string[]>()
  /** What people wrote, and that was not dropped with an unlinked device: connection, WhatsApp id. */
  readonly #written = new Map<string, string>()
  readonly #epochs = new Map<string, Epoch>()
  #authWrites = 0
  counts = { frames: 0, sent: 0, received: 0, openings: 0, quarantines: 0, cancelled: 0, scheduled: 0 }

  constructor(state: AuditedState) {
    this.#state = state
  }

  // ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  starts(workerId: string): void {
    this.#startedAt.set(workerId, this.#state.world.now)
  }

  opens(workerId: string, { ref, holding, pairing }: OpenRequest): void {
    const key = keyOf(ref)
    const row = this.#state.tables.connections.get(key)
    this.counts.openings += 1
    const open = this.#sockets.get(key) ?? new Map<string, number>()
    this.#sockets.set(key, open)
    open.set(workerId, (open.get(workerId) ?? 0) + 1)
    if ((open.get(workerId) ?? 0) > 1) this.#violated('oneHolder', `${workerId} opens ${ref.connectionId} twice`)
    if (row?.reason === 'logged_out' && pairing === undefined) {
      this.#violated('loggedOut', `${workerId} opens ${ref.connectionId}`)
    }
    if (pairing === undefined) this.#countOpening(workerId, key, holding.epoch, row)
    else this.#openings.delete(key)
  }

  closes(workerId: string, { ref }: OpenRequest): void {
    const open = this.#sockets.get(keyOf(ref))
    const left = (open?.get(workerId) ?? 0) - 1
    if (left > 0) open?.set(workerId, left)
    else open?.delete(workerId)
    const openings = this.#openings.get(keyOf(ref))
    if (openings?.openSince === undefined) return
    if (this.#state.world.now - openings.openSince >= stableMs) openings.inRow = 0
    openings.openSince = undefined
  }

  opened({ ref }: OpenRequest): void {
    const openings = this.#openings.get(keyOf(ref))
    if (openings === undefined) return
    openings.openSince = this.#state.world.now
    openings.opened = true
  }

  #countOpening(workerId: string, key: string, epoch: Epoch, row: ConnectionRow | undefined): void {
    const { now } = this.#state.world
    const commandId = row?.command?.commandId
    const before = this.#openings.get(key)
    const seen = [...this.#state.workers()].some((worker) => worker.workerId === workerId && worker.seesOutage)
    // Who was held back spends no attempt when its turn comes, also where the outage is over by the time that it opens.
    const outage = seen || row?.reason === 'outage'
    const goesOn = before !== undefined && before.epoch === epoch && before.commandId === commandId && !outage
    const fresh = { epoch, inRow: 0, lastAt: now, openSince: undefined, opened: false, commandId }
    const openings: Openings = goesOn ? before : fresh
    // WhatsApp asked for it (515): at once, and no attempt. What is one says so on its row before it opens.
    const restarts = openings.opened && row?.attempt === undefined && row?.reason !== 'retries_exhausted'
    openings.opened = false
    if (restarts) return
    if (openings.inRow > openingsInRowMax && now - openings.lastAt < wakeGapMs) {
      this.#violated(
        'attempts',
        `${workerId} opens ${key} for the ${openings.inRow + 1}th time, ${Math.round(now - openings.lastAt)} ms after the last`,
      )
    }
    openings.inRow += 1
    openings.lastAt = now
    this.#openings.set(key, openings)
  }

  /** What a frame rests on: how far the ratchets with all chats had come when it was made. */
  restsOn(state: ConnectionAuthState, chats: Iterable<string>): readonly Rest[] {
    return [...chats].flatMap((chat): Rest[] => {
      const ratchet = state.read('session', chat) as { sent: number; opened: readonly number[] } | undefined
      return ratchet === undefined ? [] : [{ chat, sent: ratchet.sent, opened: ratchet.opened.length }]
    })
  }

  /** Bytes go onto the wire. */
  leaves(workerId: string, { ref, holding }: OpenRequest, frame: ToServer, rests: readonly Rest[]): void {
    this.counts.frames += 1
    this.#ownerActs(workerId, ref, holding.epoch, `sends ${frame.kind}`)
    const { identity, records } = this.#durable(keyOf(ref))
    for (const { chat, sent, opened } of rests) {
      const stored = records.get(`key/session/${chat}`)
      const ratchet = (stored === undefined ? undefined : JSON.parse(stored)) as
        | { sent: number; opened: readonly number[] }
        | undefined
      if (ratchet === undefined || ratchet.sent < sent || ratchet.opened.length < opened) {
        this.#violated('durable', `${workerId} sends ${frame.kind} of ${ref.connectionId}; ${chat} is not stored`)
      }
    }
    if (frame.kind === 'link_reply' && identity !== 'linked') {
      this.#violated('durable', `${workerId} tells WhatsApp of a new identity that is not stored`)
    }
    // Forgotten again where an earlier try turned out to have arrived while this one waited.
    const waits = frame.kind === 'message' && this.#outbound(keyOf(ref), frame.whatsappId)?.status === 'queued'
    if (waits && !records.has(`attempted/${frame.whatsappId}`)) {
      this.#violated('durable', `${workerId} sends ${frame.whatsappId} without a note that it may have left`)
    }
  }

  // ── Services ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  called(thread: Thread, service: Service, method: string, args: readonly unknown[]): void {
    const write = writeOf(service, method, args)
    if (write !== undefined) this.#ownerActs(thread.process.name, write.ref, write.epoch, `calls ${service}.${method}`)
  }

  done(thread: Thread, service: Service, method: string, args: readonly unknown[], outcome: unknown): void {
    const write = writeOf(service, method, args)
    if (write === undefined || write.epoch === undefined || !landed(outcome)) return
    // An append that is answered a second time was found by its nonce, and writes nothing.
    const written = this.#state.auth.landed.length
    if (method === 'append' && written === this.#authWrites) return
    this.#authWrites = written
    const item = `${service === 'auth' ? 'auth' : (write.item ?? 'row')} of ${write.ref.connectionId}`
    const highest = this.#epochs.get(item) ?? 0
    if (write.epoch < highest) {
      const what = `${service}.${method} of ${thread.process.name} under epoch ${write.epoch}`
      this.#violated('fenced', `${what} landed after one under ${highest}`)
    }
    this.#epochs.set(item, write.epoch)
    if (service === 'auth') this.#authChanged(keyOf(write.ref), method)
    if (service === 'connections') this.#rowChanged(keyOf(write.ref))
  }

  #authChanged(connection: string, method: string): void {
    const { identity } = this.#durable(connection)
    if (method === 'erase' || method === 'archive') this.#identities.delete(connection)
    else if (this.#identities.has(connection) && identity !== 'linked') {
      this.#violated('authKept', `${connection} is ${identity} after ${method}`)
    }
  }

  #rowChanged(connection: string): void {
    const row = this.#state.tables.connections.get(connection)
    if (row === undefined) return
    if ((row.attempt ?? 0) > defaultSessionSettings.backoffAttemptsMax) {
      this.#violated('attempts', `${connection} shows attempt ${row.attempt}`)
    }
    this.#watchSuspicion(connection, row)
    const lost = row.reason === 'auth_missing' || row.reason === 'no_session'
    if (lost && this.#identities.has(connection)) this.#violated('authKept', `${connection} shows ${row.reason}`)
  }

  #watchSuspicion(connection: string, row: ConnectionRow): void {
    const openers: Openers = this.#openers.get(connection) ?? new Map()
    this.#openers.set(connection, openers)
    if (row.status === 'connected') openers.clear()
    if (row.opening !== undefined) {
      const { workerId } = row.opening
      openers.delete(workerId)
      openers.set(workerId, this.#state.world.now - (this.#startedAt.get(workerId) ?? 0))
    }
    if (row.reason !== 'quarantined' || row.opening !== undefined) return
    this.counts.quarantines += 1
    const lastLivedMs = [...openers.values()].at(-1) ?? 0
    if (openers.size >= 3 && lastLivedMs >= provenAfterMs) return
    const lives = [...openers].map(([workerId, livedMs]) => `${workerId} at ${Math.round(livedMs)} ms`)
    this.#violated('singledOut', `${connection}; opened by ${lives.join(', ') || 'nobody'}`)
  }

  // ── WhatsApp ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  linked(connection: string, identity: string): void {
    this.#identities.set(connection, identity)
  }

  /** By the person, or because a caller asked for it: what it did not get is gone with it. */
  unlinked(connection: string): void {
    this.#identities.delete(connection)
    this.#onceUnlinked.add(connection)
    for (const [whatsappId, of] of this.#written) if (of === connection) this.#written.delete(whatsappId)
  }

  /** `taken`: WhatsApp did not refuse it, and somebody will see it. */
  arrived(whatsappId: string, taken: boolean): void {
    if (taken) this.#arrived.add(whatsappId)
    this.#isPunctual(whatsappId)
    if (!this.#asked.has(whatsappId)) this.#violated('truthful', `${whatsappId} was never accepted`)
  }

  #isPunctual(whatsappId: string): void {
    const { now, clocksAheadMs } = this.#state.world
    const dueAt = this.sends.get(whatsappId)?.dueAt
    if (dueAt === undefined || now * (1 + clockErrorShare) + clocksAheadMs >= dueAt) return
    this.#violated('punctual', `${whatsappId} arrived ${Math.round(dueAt - now)} ms early`)
  }

  ratchetRolledBack(connection: string, chat: string, counter: number): void {
    this.#violated('ratchet', `${connection} used key ${counter} with ${chat} twice`)
  }

  openedTwice(ref: ConnectionRef, whatsappId: string): void {
    if (this.#inboundRow(keyOf(ref), whatsappId)) return
    this.#violated('received', `${whatsappId} was opened before, and what it said is lost`)
  }

  shown(connection: string, chat: string, ids: readonly string[]): void {
    this.counts.sent += 1
    this.#shown.set(`${connection} in ${chat}`, ids)
    if (new Set(ids).size < ids.length) this.#violated('shownOnce', `${connection} in ${chat}`)
    this.#inOrder(`${connection} in ${chat}`, ids, ids.length - 1)
  }

  /**
   * Only of two sends of which one was accepted before the other was asked for is there an order, whether or not their doorbells
   * rang. Scheduled ones go at their time.
   */
  #inOrder(where: string, ids: readonly string[], at: number): void {
    const last = this.sends.get(ids[at] ?? '')
    if (last === undefined || last.dueAt !== undefined) return
    for (const id of ids.slice(0, at)) {
      const before = this.sends.get(id)
      if (before === undefined || before.dueAt !== undefined || last.answeredAt > before.askedAt) continue
      this.#violated('order', `${where}: number ${last.seq} is shown after number ${before.seq}`)
    }
  }

  /** A caller asks for a send, and may not know for a while whether it was accepted. */
  asked(whatsappId: string): void {
    this.#asked.add(whatsappId)
  }

  accepted(send: AcceptedSend): void {
    this.sends.set(send.whatsappId, send)
    if (send.dueAt !== undefined) this.counts.scheduled += 1
  }

  /** The caller was told that it will never go. */
  cancelled(): void {
    this.counts.cancelled += 1
  }

  written(connection: string, whatsappId: string): void {
    this.#written.set(whatsappId, connection)
  }

  inboundAcknowledged(connection: string, whatsappId: string): void {
    this.counts.received += 1
    if (!this.#inboundRow(connection, whatsappId))
      this.#violated('acknowledged', `message ${whatsappId} of ${connection}`)
  }

  receiptAcknowledged(connection: string, whatsappId: string, step: ReceiptStep): void {
    const row = this.#outbound(connection, whatsappId)
    const known: readonly string[] = step === 'delivered' ? ['delivered', 'read', 'played'] : ['read', 'played']
    if (row !== undefined && !known.includes(row.status)) {
      this.#violated('acknowledged', `${step} of ${whatsappId}, which is ${row.status}`)
    }
  }

  // ── Always, and at the end ────────────────────────────────────────────────────────────────────────────────────────────

  /** After every event. */
  step(): void {
    for (const [connection, open] of this.#sockets) {
      if (open.size < 2) continue
      const holders = [...this.#state.workers()].filter(
        ({ workerId, running, leaseValid }) => open.has(workerId) && running && leaseValid,
      )
      if (holders.length < 2) continue
      this.#violated('oneHolder', `${connection} by ${holders.map(({ workerId }) => workerId).join(' and ')}`)
    }
  }

  /** Sends that neither left nor failed yet. */
  unended(): readonly AcceptedSend[] {
    return [...this.sends.values()].filter(
      ({ ref, whatsappId }) => this.#outbound(keyOf(ref), whatsappId)?.status === 'queued',
    )
  }

  /** Written by people, and not stored yet. */
  unreceived(): readonly string[] {
    return [...this.#written]
      .filter(([id, connection]) => this.#identities.has(connection) && !this.#inboundRow(connection, id))
      .map(([id]) => id)
  }

  /** What rows say, once nothing is under way. */
  finish(): void {
    for (const { ref, whatsappId } of this.sends.values()) {
      const row = this.#outbound(keyOf(ref), whatsappId)
      if (row === undefined) continue
      if (row.status === 'queued') this.#violated('ends', `${whatsappId} of ${ref.connectionId} is still queued`)
      if (row.status === 'failed' && row.error === undefined)
        this.#violated('ends', `${whatsappId} failed without a reason`)
      const arrived = this.#arrived.has(whatsappId)
      const claimsSent = row.status !== 'failed' && row.status !== 'queued'
      if (claimsSent && !arrived) this.#violated('truthful', `${whatsappId} is ${row.status} and never arrived`)
      // A send that was under way when its device was unlinked cannot be told from one that never left.
      const claimsUnsent = row.status === 'failed' && row.error !== undefined && unsent.has(row.error.code)
      if (this.#onceUnlinked.has(keyOf(ref))) continue
      if (claimsUnsent && arrived) this.#violated('truthful', `${whatsappId} failed as ${row.error?.code} and arrived`)
    }
    for (const [where, ids] of this.#shown) for (const at of ids.keys()) this.#inOrder(where, ids, at)
    for (const whatsappId of this.unreceived()) this.#violated('received', whatsappId)
    for (const connection of this.#identities.keys()) this.#durable(connection)
  }

  #ownerActs(workerId: string, ref: ConnectionRef, epoch: Epoch | undefined, what: string): void {
    const row = this.#state.tables.connections.get(keyOf(ref))
    if (row === undefined) return
    const partition = this.#state.fleet.partitions.get(row.partition)
    if (partition?.owner === workerId && (epoch === undefined || partition.epoch === epoch)) return
    const owner = `${partition?.owner} under epoch ${partition?.epoch}`
    this.#violated('ownerOnly', `${workerId} ${what} for ${ref.connectionId} under epoch ${epoch}, owned by ${owner}`)
  }

  #durable(connection: string): ReturnType<typeof durableState> {
    try {
      return durableState(this.#state.auth, connection)
    } catch (error) {
      this.#violated('authKept', `${connection}: ${error instanceof Error ? error.message : String(error)}`)
      return { identity: 'none', records: new Map() }
    }
  }

  #outbound(connection: string, whatsappId: string): OutboundRow | undefined {
    const row = this.#state.tables.messages.get(connection)?.get(`out#${whatsappId}`)
    return row?.direction === 'outbound' ? row : undefined
  }

  #inboundRow(connection: string, whatsappId: string): boolean {
    const rows = this.#state.tables.messages.get(connection)?.values() ?? []
    return [...rows].some((row) => row.direction === 'inbound' && row.whatsappId === whatsappId)
  }

  #violated(invariant: keyof typeof invariants, detail: string): void {
    this.#state.world.violated(invariants[invariant], detail)
  }
}

export interface Rest {
  readonly chat: string
  readonly sent: number
  readonly opened: number
}

/** Reasons that say that no byte of a send left. */
const unsent: ReadonlySet<string> = new Set(['expired', 'no_active_connection', 'cancelled'])
