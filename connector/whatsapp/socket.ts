import type { ClientRequest, IncomingMessage } from 'node:http'
import { type BinaryNode, isJidGroup, jidDecode, jidNormalizedUser, type WASocket } from '@whiskeysockets/baileys'
import type { WebSocket } from 'ws'
import { type OperationRequest, operationEffects } from '../../shared/domain/operations.ts'
import type { MediaRow } from '../../shared/domain/stores/media.ts'
import type { MessageLookup } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, Gesture, SendContent } from '../../shared/domain/words.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { MediaHosts } from '../media/hosts.ts'
import type { InboundMedia } from '../media/inbound.ts'
import type { OutboundMedia } from '../media/outbound.ts'
import type {
  Clock,
  ConnectionEnd,
  HandOver,
  InboundRow,
  Log,
  OpenRequest,
  OperationAnswer,
  Prepared,
  SocketEvent,
  SocketListener,
  WhatsAppSocket,
} from '../ports.ts'
import type { Composer } from './composer.ts'
import { readEnd } from './connection-end.ts'
import { deviceCache } from './device-cache.ts'
import { type EgressGate, gateEgress } from './egress-gate.ts'
import type { Gestures } from './gestures.ts'
import { type GroupCache, prepareGroup } from './groups.ts'
import type { Inbox } from './inbox.ts'
import { watchIncoming } from './incoming.ts'
import { directPathOf, mediaRequest, statusOf } from './media-request.ts'
import type { OperationContext } from './operations/context.ts'
import { operate } from './operations/operate.ts'
import { watchPairing } from './pairing.ts'
import { idsOfPerson } from './person-ids.ts'
import { PresenceWatch } from './presence-watch.ts'
import { PrivacyTokens } from './privacy-tokens.ts'
import { Recipients } from './recipients.ts'
import type { RetryRenewals } from './renewals.ts'
import { type SendTry, sendScope } from './send-scope.ts'

export interface SocketMedia {
  readonly outbound: OutboundMedia
  readonly inbound: InboundMedia
}

export interface BaileysSocketDependencies {
  readonly ref: ConnectionRef
  /** Absent: media are neither sent nor downloaded. */
  readonly media?: SocketMedia
  /** Media hosts without TLS. */
  readonly plainMedia: boolean
  readonly messages?: MessageLookup
  readonly clock: Clock
  readonly log: Log
  readonly sendTimeoutMs: number
  readonly qrTtlMs?: number
  readonly inbox: Inbox
  readonly renewals: RetryRenewals
  readonly composer: Composer
  readonly gestures: Gestures
  readonly groups: GroupCache
}

/** How long an orderly end waits for frames that are still to go, and then for the peer's close frame. */
const drainMs = 2_000
const closeMs = 1_000
const logoutMs = 5_000
/** For the phone to upload a medium again. */
const renewMs = 60_000
/** Several queries at most; Baileys bounds each. What fetches is bounded by its deadline, and by silence. */
const operateMs = 60_000
const fetchMs = 24 * 60 * 60_000

/** One Baileys socket from its making to its `closed`. */
export class BaileysSocket implements WhatsAppSocket {
  readonly #deps: BaileysSocketDependencies
  readonly #sock: WASocket
  readonly #web: WebSocket
  readonly #state: ConnectionAuthState
  readonly #mediaDays: () => number | undefined
  readonly #listener: SocketListener
  readonly #gate: EgressGate
  readonly #presences: PresenceWatch
  readonly #recipients: Recipients
  readonly #tokens: PrivacyTokens
  /** Whoever waits for something of the socket. */
  readonly #atEnd = new Set<() => void>()
  #phase: ConnectionEnd['phase'] = 'connecting'
  #intent: ConnectionEnd['intent']
  #upgradeStatus: number | undefined
  #detail: string | undefined
  /** Aborted at the end: for what lasts longer than a bound. */
  readonly #over = new AbortController()
  #ended = false

  constructor(
    deps: BaileysSocketDependencies,
    sock: WASocket,
    state: ConnectionAuthState,
    request: OpenRequest,
    listener: SocketListener,
  ) {
    this.#deps = deps
    this.#sock = sock
    this.#state = state
    this.#mediaDays = request.mediaDays ?? (() => undefined)
    this.#listener = listener
    this.#presences = new PresenceWatch(state)
    const devices = deviceCache(state, deps.clock)
    this.#recipients = new Recipients({
      asking: sock,
      me: () => state.creds.me,
      knows: (user) => devices.get(user) !== undefined,
      hasSession: async (jid) => (await sock.signalRepository.validateSession(jid)).exists,
      clock: deps.clock,
    })
    this.#tokens = new PrivacyTokens({ giving: sock, clock: deps.clock, log: deps.log })
    this.#presences.watch(sock.ev, (seen) => this.#emit({ kind: 'presence', seen }))
    const client = sock.ws as unknown as ClientWithSocket
    this.#web = client.socket
    this.#gate = gateEgress(this.#web, state, request.holding, (why) => {
      this.#detail ??= why
      this.terminate('lease')
    })
    this.#endQuickly(client)
    watchIncoming(sock.ws, {
      ...deps,
      state,
      listener,
      over: () => this.#ended,
      unreadable: (error) => this.#finish(error),
    })
    this.#watchUpgrade()
    if (request.pairing === undefined) sock.ev.on('creds.update', () => state.saveCreds())
    else {
      watchPairing(sock, {
        state,
        pairing: request.pairing,
        ...(deps.qrTtlMs !== undefined && { qrTtlMs: deps.qrTtlMs }),
        log: deps.log,
        emit: (event) => this.#emit(event),
        failed: (why) => {
          this.#detail ??= why
          this.#finish(new Error(why))
        },
      })
    }
    this.#watchConnection()
    queueMicrotask(() => deps.inbox.resume())
  }

  async send(whatsappId: string, chat: string, content: SendContent): Promise<HandOver> {
    if (this.#ended || this.#phase !== 'open') return { kind: 'not_sent', why: 'the connection is not open' }
    if (jidDecode(chat) === undefined) {
      return { kind: 'refused', code: 'invalid_content', why: `chat: expected a JID, got "${chat}"` }
    }
    const send: SendTry = { whatsappId, givenUp: false, encrypted: false }
    return this.#bounded(this.#deps.sendTimeoutMs, this.#trySend(send, jidNormalizedUser(chat), content), (why) => {
      send.givenUp = true
      return outcomeOf(send, why === 'ended' ? 'the connection ended' : 'WhatsApp did not answer in time')
    })
  }

  async prepare(whatsappId: string, content: SendContent): Promise<Prepared> {
    const { media, ref } = this.#deps
    if (media === undefined) return { kind: 'ready' }
    try {
      return await media.outbound.prepare(
        ref,
        whatsappId,
        content,
        this.#mediaHosts(),
        this.#over.signal,
        this.#mediaDays(),
      )
    } catch (error) {
      return { kind: 'not_ready', why: error instanceof Error ? error.message : String(error) }
    }
  }

  fetchMedium(messageId: string): void {
    if (this.#ended || this.#phase !== 'open') return
    this.#fetchMedium(messageId).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      this.#deps.log.warn({ messageId, reason }, 'A medium could not be downloaded')
    })
  }

  async #fetchMedium(messageId: string): Promise<MediaRow | undefined> {
    const { media, messages, ref } = this.#deps
    const row = await messages?.find(ref, messageId)
    if (media === undefined || row?.direction !== 'inbound') return undefined
    return media.inbound.fetch(row, {
      hosts: this.#mediaHosts(),
      signal: this.#over.signal,
      keptDays: this.#mediaDays(),
      renew: () => this.#renewMedium(row),
    })
  }

  /** Asks the phone to upload a medium again. Its new path; undefined where the phone has it no more. */
  async #renewMedium(row: InboundRow): Promise<string | undefined> {
    const message = mediaRequest(row)
    if (message === undefined) return undefined
    const asked = this.#sock.updateMediaMessage(message).then(
      ({ message: renewed }) => ({ path: directPathOf(renewed) }),
      (error: unknown) => {
        // A phone that has it no more says so; whatever else goes wrong may be otherwise next time.
        if (statusOf(error) === 404) return { path: undefined }
        throw error
      },
    )
    const answer = await this.#bounded(renewMs, asked, (): { path?: string } => {
      throw new Error('the phone did not answer')
    })
    return answer.path
  }

  #mediaHosts(): MediaHosts {
    return {
      plain: this.#deps.plainMedia,
      current: async (renew) => {
        const { hosts, auth } = await this.#sock.refreshMediaConn(renew)
        return { hosts: hosts.map(({ hostname }) => hostname), auth }
      },
    }
  }

  show(presence: 'typing' | 'recording', chat: string): void {
    if (this.#ended || this.#phase !== 'open') return
    this.#sock.sendPresenceUpdate(presence === 'typing' ? 'composing' : 'recording', chat).catch(nothing)
  }

  idsOf(chat: string): readonly string[] {
    return idsOfPerson(chat, this.#state)
  }

  gesture(gesture: Gesture): void {
    if (this.#ended || this.#phase !== 'open') return
    this.#deps.gestures.perform(this.#sock, gesture).catch((error: unknown) => {
      this.#deps.log.debug({ gesture: gesture.kind, error }, 'A gesture could not be made')
    })
  }

  async operate(request: OperationRequest): Promise<OperationAnswer> {
    if (this.#ended || this.#phase !== 'open') return { kind: 'not_done', why: 'the connection is not open' }
    const context: OperationContext = {
      sock: this.#sock,
      state: this.#state,
      groups: this.#deps.groups,
      presences: this.#presences,
      fetchMedium: (messageId) => this.#fetchMedium(messageId),
    }
    const limitMs = operationEffects[request.kind] === 'fetch' ? fetchMs : operateMs
    return this.#bounded(limitMs, operate(context, request), (why) => ({
      kind: 'unknown',
      why: why === 'ended' ? 'the connection ended' : 'WhatsApp did not answer in time',
    }))
  }

  async probe(timeoutMs: number): Promise<boolean> {
    if (this.#ended) return false
    const ping: BinaryNode = {
      tag: 'iq',
      attrs: { to: 's.whatsapp.net', type: 'get', xmlns: 'w:p' },
      content: [{ tag: 'ping', attrs: {} }],
    }
    const answered = this.#sock.query(ping, timeoutMs).then(
      (answer) => answer !== undefined,
      () => false,
    )
    return this.#bounded(timeoutMs, answered, () => false)
  }

  async logout(): Promise<void> {
    const { me } = this.#state.creds
    this.#intent ??= 'logout'
    if (!this.#ended && me !== undefined && this.#phase === 'open') {
      const removal: BinaryNode = {
        tag: 'iq',
        attrs: { to: 's.whatsapp.net', type: 'set', xmlns: 'md' },
        content: [{ tag: 'remove-companion-device', attrs: { jid: me.id, reason: 'user_initiated' } }],
      }
      const asked = this.#sock.query(removal, logoutMs).then(nothing, nothing)
      await this.#bounded(logoutMs, asked, nothing)
    }
    await this.#orderlyEnd()
  }

  async close(): Promise<void> {
    this.#intent ??= 'closed_by_us'
    await this.#orderlyEnd()
  }

  terminate(intent: NonNullable<ConnectionEnd['intent']>): void {
    if (this.#ended) return
    this.#intent ??= intent
    this.#gate.stop()
    this.#deps.inbox.close()
    this.#web.terminate()
    // Not from within the caller's own step.
    queueMicrotask(() => this.#finish(undefined))
  }

  async #orderlyEnd(): Promise<void> {
    if (this.#ended) return
    this.#sock.ev.flush()
    await this.#bounded(drainMs, this.#gate.drained(), nothing)
    if (this.#ended) return
    const ended = new Promise<void>(() => undefined)
    void this.#sock.end(undefined)
    await this.#bounded(drainMs, ended, nothing)
    this.terminate('closed_by_us')
  }

  async #trySend(send: SendTry, chat: string, content: SendContent): Promise<HandOver> {
    const { composer, groups } = this.#deps
    try {
      const composed = await composer.compose(send.whatsappId, chat, content)
      if (composed.kind === 'refused') return { kind: 'refused', code: 'invalid_content', why: composed.why }
      if (composed.kind === 'unprepared') return { kind: 'not_sent', why: 'the medium is not at WhatsApp' }
      const problem = isJidGroup(chat)
        ? await prepareGroup(this.#sock, this.#state, groups, chat)
        : await this.#recipients.prepare(chat)
      if (problem !== undefined) return problem
      if (send.givenUp) return { kind: 'not_sent', why: 'the send was given up' }
      const { content: message, options } = composed.message
      await sendScope.run(send, () => this.#sock.sendMessage(chat, message, { ...options, messageId: send.whatsappId }))
      await this.#gate.passed()
      if (send.tokenDue !== undefined && !concernsAnother(content)) this.#tokens.due(send.tokenDue)
      return { kind: 'handed_over' }
    } catch (error) {
      return outcomeOf(send, error instanceof Error ? error.message : String(error))
    }
  }

  /** `ws` leaves a refused upgrade to whoever listens for it, and Baileys listens only to pass it on. */
  #watchUpgrade(): void {
    this.#sock.ws.on('unexpected-response', (request: ClientRequest, response: IncomingMessage) => {
      this.#upgradeStatus = response.statusCode
      response.resume()
      request.destroy()
      this.#finish(new Error(`WhatsApp refused the connection with HTTP status ${response.statusCode}`))
    })
  }

  #watchConnection(): void {
    const { ws, ev } = this.#sock
    ws.on('open', () => {
      if (this.#phase === 'connecting') this.#phase = this.#state.registered ? 'logging_in' : 'pairing'
    })
    ev.on('connection.update', (update) => {
      if (update.connection === 'open') {
        this.#phase = 'open'
        const { me } = this.#state.creds
        if (me !== undefined) this.#emit({ kind: 'open', jid: me.id, ...(me.lid !== undefined && { lid: me.lid }) })
      }
      if (update.connection === 'close') this.#finish(update.lastDisconnect?.error)
    })
  }

  /** Baileys waits up to 30 s for a silent peer's close frame before it says that the connection has ended. */
  #endQuickly(client: ClientWithSocket): void {
    client.close = async () => {
      const { socket } = client
      if (socket === null) return
      const closed = new Promise<void>((resolve) => {
        socket.once('close', () => resolve())
      })
      this.#gate.stop()
      socket.close()
      const timer = this.#deps.clock.after(closeMs, () => socket.terminate())
      await closed
      timer.cancel()
    }
  }

  #finish(error: unknown): void {
    if (this.#ended) return
    const { qrRanOut, ...read } = readEnd(error)
    const end: ConnectionEnd = {
      ...read,
      ...(qrRanOut && { qrRanOut }),
      ...(this.#upgradeStatus !== undefined && { upgradeStatus: this.#upgradeStatus }),
      phase: this.#phase,
      ...(this.#intent !== undefined && { intent: this.#intent }),
      detail: this.#detail ?? read.detail,
    }
    this.#emit({ kind: 'closed', end })
    this.#ended = true
    this.#gate.stop()
    this.#tokens.stop()
    this.#deps.inbox.close()
    this.#web.terminate()
    // Clears Baileys' timers and listeners; where it ended by itself, it knows.
    void this.#sock.end(undefined)
    this.#over.abort(new Error('the connection ended'))
    for (const ended of [...this.#atEnd]) ended()
  }

  #emit(event: SocketEvent): void {
    if (!this.#ended) this.#listener.onEvent(event)
  }

  /** The work's result, or what `otherwise` says where time or the socket ended first. */
  #bounded<T>(limitMs: number, work: Promise<T>, otherwise: (why: 'late' | 'ended') => T): Promise<T> {
    return new Promise((resolve, reject) => {
      // Not a promise of the socket's end: each send would leave a reaction on it for as long as the socket lives.
      const settle = (outcome: () => void): void => {
        timer.cancel()
        this.#atEnd.delete(ended)
        outcome()
      }
      const ended = (): void => settle(() => resolve(otherwise('ended')))
      const timer = this.#deps.clock.after(limitMs, () => settle(() => resolve(otherwise('late'))))
      this.#atEnd.add(ended)
      work.then(
        (result) => settle(() => resolve(result)),
        (error: unknown) => settle(() => reject(error)),
      )
    })
  }
}

/** Baileys' WebSocketClient; its types leave out what it wraps. */
interface ClientWithSocket {
  readonly socket: WebSocket
  close(): Promise<void>
}

/** Such a message is none that a person sees by itself. */
function concernsAnother({ type }: SendContent): boolean {
  return type === 'edit' || type === 'delete'
}

function outcomeOf(send: SendTry, why: string): HandOver {
  return { kind: send.encrypted ? 'unknown' : 'not_sent', why }
}

function nothing(): void {}
