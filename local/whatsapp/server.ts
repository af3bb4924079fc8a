/** The simulated WhatsApp server: one port for the WebSocket at `/ws/chat`, media and the control API. */

import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import {
  newServerIdentity,
  restoreServerIdentity,
  type ServerIdentityRecord,
  serverIdentityRecord,
} from './certificates.ts'
import { Connection, type ConnectionHandlers } from './connection.ts'
import { ControlApi } from './control-api.ts'
import { Directory } from './directory.ts'
import { EventLog, type TimedEvent } from './events.ts'
import { Faults } from './faults.ts'
import { Groups } from './groups.ts'
import { answerIq } from './iq.ts'
import { admit } from './login.ts'
import { serveMedia } from './media-http.ts'
import { MediaStore } from './media-store.ts'
import { PairingDesk } from './pairing.ts'
import { PresenceBoard } from './presence.ts'
import { Router } from './routing.ts'
import type { Simulator } from './simulator.ts'
import { takeStanza } from './stanzas.ts'
import { Stats } from './stats.ts'
import { StateStore } from './store.ts'

export interface WhatsAppSimulatorOptions {
  /** 0 takes any free port. */
  port: number
  host?: string
  /** Where phones, linked devices and what waits for them are kept; without it they end with the server. */
  stateDir?: string
  log?: (event: TimedEvent) => void
}

export interface WhatsAppSimulator {
  /** What clients connect to, `ws://…/ws/chat`. */
  url: string
  controlUrl: string
  /** The 32 byte public root key of the Noise certificate chain, in hex. */
  rootPublicKeyHex: string
  /** Ends all sockets and writes what is not on disk yet. */
  close(): Promise<void>
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024
const CHAT_PATH = '/ws/chat'

async function createSimulator(store: StateStore, media: MediaStore): Promise<Simulator> {
  const now = Date.now
  const stored = (await store.load('server')).get('identity')
  const identity = stored ? restoreServerIdentity(stored as ServerIdentityRecord) : newServerIdentity()
  store.changed('server', 'identity', () => serverIdentityRecord(identity))
  const simulator = { identity, store, media, now } as Simulator
  simulator.mediaAuth = randomBytes(24).toString('base64url')
  simulator.stats = new Stats(now)
  simulator.faults = new Faults(now)
  simulator.events = new EventLog()
  simulator.directory = new Directory(simulator)
  simulator.router = new Router(simulator)
  simulator.pairing = new PairingDesk(simulator)
  simulator.groups = new Groups(simulator)
  simulator.presence = new PresenceBoard(simulator)
  await simulator.directory.restore()
  await simulator.groups.restore()
  await store.flush()
  return simulator
}

function handlersOf(simulator: Simulator, connections: Set<Connection>): ConnectionHandlers {
  const { stats, events, pairing } = simulator
  const introduced = new WeakSet<Connection>()
  return {
    onIntroduced(connection, introduction) {
      introduced.add(connection)
      stats.handshakeEnded()
      admit(simulator, connection, introduction)
    },
    async onNode(connection, stanza) {
      const device = connection.companion
      if (stanza.tag === 'iq') await answerIq(simulator, connection, device, stanza)
      else if (device) takeStanza({ simulator, connection, device }, stanza)
    },
    onProtocolError(connection, error) {
      stats.protocolErrors++
      const detail = error instanceof Error ? error.message : String(error)
      events.publish({ event: 'protocol-error', connection: connection.connectionNumber, detail })
    },
    onEnd(connection, reason) {
      connections.delete(connection)
      if (!introduced.has(connection)) stats.handshakeEnded()
      pairing.forget(connection)
      const { companion } = connection
      if (!companion) return
      stats.loggedOut(companion.key)
      if (companion.connection === connection) {
        companion.connection = undefined
        companion.mailbox.leave()
        simulator.presence.gone(companion)
      }
      events.publish({ event: 'logout', device: companion.key, reason })
    },
  }
}

/** Starts the server; rejects if the port is taken or the stored state can't be read. */
export async function startWhatsAppSimulator(options: WhatsAppSimulatorOptions): Promise<WhatsAppSimulator> {
  const { port, host = '127.0.0.1', stateDir, log } = options
  const simulator = await createSimulator(new StateStore(stateDir), await MediaStore.open(stateDir))
  if (log) simulator.events.subscribe(log)
  const connections = new Set<Connection>()
  const control = new ControlApi(simulator, connections)
  const http = createServer((request, response) => void answer(request, response))
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    // Pongs go through the faults like everything else: a silent server must not look alive.
    autoPong: false,
  })
  acceptUpgrades()
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, () => resolve())
  })
  const address = http.address() as AddressInfo
  const authority = `${host.includes(':') ? `[${host}]` : host}:${address.port}`
  simulator.mediaHost = authority
  return {
    url: `ws://${authority}${CHAT_PATH}`,
    controlUrl: `http://${authority}`,
    rootPublicKeyHex: simulator.identity.rootKey.publicKey.toString('hex'),
    close,
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(await serveMedia(simulator, request, response))) await control.handle(request, response)
  }

  function acceptUpgrades(): void {
    const handlers = handlersOf(simulator, connections)
    let connectionNumber = 0
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      connectionNumber++
      // A client that hangs up before it is answered must not take the server with it.
      socket.on('error', () => socket.destroy())
      const fault = simulator.faults.find('refuse-upgrade', { connectionNumber, device: undefined })
      const status = fault ? fault.request.status : request.url?.startsWith(CHAT_PATH) ? undefined : 404
      if (status !== undefined) {
        if (fault) simulator.faults.apply(fault)
        simulator.stats.refusedUpgrades++
        simulator.events.publish({ event: 'upgrade-refused', status })
        socket.end(
          `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
        )
        return
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        simulator.stats.handshakeStarted()
        const { identity, faults } = simulator
        connections.add(new Connection(connectionNumber, webSocket, socket as Socket, identity, faults, handlers))
      })
    })
  }

  async function close(): Promise<void> {
    for (const connection of [...connections]) connection.reset('server stops')
    control.close()
    for (const webSocket of webSockets.clients) webSocket.terminate()
    const closed = new Promise<void>((resolve) => http.close(() => resolve()))
    http.closeAllConnections()
    await closed
    await simulator.store.flush()
    await simulator.media.close()
  }
}
