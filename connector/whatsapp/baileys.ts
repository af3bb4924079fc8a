import {
  Browsers,
  DEFAULT_CONNECTION_CONFIG,
  makeWASocket,
  type SocketConfig,
  WA_CERT_DETAILS,
} from '@whiskeysockets/baileys'
import type { MessageLookup } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, SendContent } from '../../shared/domain/words.ts'
import { ConnectionAuthState } from '../auth/auth-state.ts'
import type { AuthState, Clock, Log, OpenRequest, WhatsAppPort } from '../ports.ts'
import { baileysLogger } from './baileys-log.ts'
import { BoundedCache } from './bounded-cache.ts'
import { Composer } from './composer.ts'
import { guardConsole } from './console-guard.ts'
import { deviceCache } from './device-cache.ts'
import { Gestures } from './gestures.ts'
import { GroupCache } from './groups.ts'
import { Inbox } from './inbox.ts'
import { useKeyObjects } from './key-objects.ts'
import { baileysCreds, signalKeyStore } from './key-store.ts'
import { forgetUnfinishedPairing } from './pairing.ts'
import { takesConnections } from './reachability.ts'
import { References } from './references.ts'
import { RetryRenewals } from './renewals.ts'
import { signalRepository } from './signal-repository.ts'
import { BaileysSocket, type SocketMedia } from './socket.ts'

export interface WhatsAppSettings {
  /** Absent: WhatsApp's own. */
  readonly url?: string
  /** Hex of the 32-byte key that the server's certificate chain must lead to. Absent: WhatsApp's own. */
  readonly rootKey?: string
  /** Shown on the phone among the linked devices, where it was linked by QR. */
  readonly deviceName: string
  readonly sendTimeoutMs: number
  /** Shown as online to contacts from login on; the phone gets no notifications then. */
  readonly markOnline?: boolean
  readonly connectTimeoutMs?: number
  readonly keepAliveIntervalMs?: number
  /** How long each QR code is shown. Absent: 60 s for the first, 20 s for the others. */
  readonly qrTtlMs?: number
}

export interface WhatsAppDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly settings: WhatsAppSettings
  /** What was sent under an id: a contact's phone may ask for it again. */
  readonly sentContent?: (ref: ConnectionRef, whatsappId: string) => Promise<SendContent | undefined>
  /** The messages that others refer to: replies, reactions, edits. Absent: none is found. */
  readonly messages?: MessageLookup
  /** Absent: media are neither sent nor downloaded. */
  readonly media?: SocketMedia
}

const minuteMs = 60_000

/** WhatsApp through Baileys. The root key and the console guard are the process's: there is one such port in a process. */
export function baileysWhatsApp(deps: WhatsAppDependencies): WhatsAppPort {
  const { clock, log, settings } = deps
  guardConsole()
  useKeyObjects()
  if (settings.rootKey !== undefined) WA_CERT_DETAILS.PUBLIC_KEY = rootKeyOf(settings.rootKey)
  const logger = baileysLogger(log)
  // A server without TLS, as in local mode, has its media without TLS as well.
  const plainMedia = settings.url?.startsWith('ws:') ?? false
  const retries = new BoundedCache(clock, 20_000, 60 * minuteMs)
  const calls = new BoundedCache(clock, 5_000, 5 * minuteMs)
  const groupMetadata = new BoundedCache(clock, 2_000, 10 * minuteMs)
  const resends = new BoundedCache(clock, 5_000, 60 * minuteMs)

  return {
    open(request, listener) {
      const { ref } = request
      const state = authStateOf(request.state)
      forgetUnfinishedPairing(state)
      const account = `${ref.businessProfileId}#${ref.connectionId}`
      const socketLog = log.child({ ...ref })
      const references = new References(ref, state, deps.messages)
      const inbox = new Inbox({
        state,
        clock,
        log: socketLog,
        references,
        onInbound: (message) => listener.onInbound(message),
      })
      const renewals = new RetryRenewals(state, clock)
      const composer = new Composer(ref, state, deps.messages, deps.media?.outbound)
      const gestures = new Gestures(ref, deps.messages)
      const groups = new GroupCache(groupMetadata.view(account))
      const sock = makeWASocket({
        ...DEFAULT_CONNECTION_CONFIG,
        ...(settings.url !== undefined && { waWebSocketUrl: settings.url }),
        version: versionOf(request),
        browser: browserOf(request, settings.deviceName),
        // The session's watchdog bounds an opening. Baileys would also put this limit, and two stack traces, on every frame.
        connectTimeoutMs: settings.connectTimeoutMs ?? 0,
        keepAliveIntervalMs: settings.keepAliveIntervalMs ?? 30_000,
        defaultQueryTimeoutMs: 30_000,
        ...(settings.qrTtlMs !== undefined && { qrTimeout: settings.qrTtlMs }),
        logger,
        auth: { creds: baileysCreds(state.creds), keys: signalKeyStore(state, clock) },
        makeSignalRepository: signalRepository({ state, account, inbox, renewals }),
        userDevicesCache: deviceCache(state, clock),
        msgRetryCounterCache: retries.view(account),
        callOfferCache: calls.view(account),
        placeholderResendCache: resends.view(account),
        // Its tables are laid out for 1,500 messages per socket at once; resends are answered from the message rows.
        enableRecentMessageCache: false,
        // Block list and privacy settings are asked for when something needs them; the properties' defaults are WhatsApp Web's.
        fireInitQueries: false,
        emitOwnEvents: false,
        syncFullHistory: false,
        shouldSyncHistoryMessage: () => false,
        markOnlineOnConnect: settings.markOnline ?? false,
        getMessage: async ({ id, remoteJid }) => {
          const content = id ? await deps.sentContent?.(ref, id) : undefined
          return content && id && remoteJid ? composer.again(id, remoteJid, content) : undefined
        },
        cachedGroupMetadata: async (jid) => groups.known(jid),
      })
      groups.watch(sock.ev)
      return new BaileysSocket(
        {
          ref,
          plainMedia,
          ...(deps.media && { media: deps.media }),
          ...(deps.messages && { messages: deps.messages }),
          clock,
          log: socketLog,
          sendTimeoutMs: settings.sendTimeoutMs,
          ...(settings.qrTtlMs !== undefined && { qrTtlMs: settings.qrTtlMs }),
          inbox,
          renewals,
          composer,
          gestures,
          groups,
        },
        sock,
        state,
        request,
        listener,
      )
    },
    reachable: (timeoutMs) => takesConnections(settings.url, timeoutMs),
  }
}

function authStateOf(state: AuthState): ConnectionAuthState {
  if (!(state instanceof ConnectionAuthState)) throw new Error('auth state: expected one made by `authStates`')
  return state
}

/** WhatsApp refuses a pairing code to a device whose name is not a browser's on a system that it knows. */
function browserOf(request: OpenRequest, deviceName: string): SocketConfig['browser'] {
  const [system, browser, release] = Browsers.macOS('Chrome')
  return [request.pairing?.method === 'code' ? system : deviceName, browser, release]
}

function versionOf(request: OpenRequest): SocketConfig['version'] {
  return request.clientVersion === undefined ? DEFAULT_CONNECTION_CONFIG.version : [...request.clientVersion]
}

function rootKeyOf(hex: string): Buffer<ArrayBuffer> {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new Error('WhatsApp root key: expected 64 hex digits')
  return Buffer.from(hex, 'hex')
}
