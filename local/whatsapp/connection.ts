/** One client's socket: handshake, then binary nodes both ways, through whatever faults hold for it. */

import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { type BinaryNode, decodeNode, encodeNode, node } from './binary-node.ts'
import type { ServerIdentity } from './certificates.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { FaultSubject, Faults } from './faults.ts'
import { FrameReader, frame } from './frames.ts'
import { type ClientIntroduction, NoiseHandshake, type NoiseTransport } from './noise.ts'

export interface ConnectionHandlers {
  /** The handshake is through; the transport is ready to send. */
  onIntroduced(connection: Connection, introduction: ClientIntroduction): void
  onNode(connection: Connection, node: BinaryNode): void | Promise<void>
  /** Bytes that are not the protocol; the connection is dropped after the call. */
  onProtocolError(connection: Connection, error: unknown): void
  /** Called once, when the server stops serving this socket, whoever ended it. */
  onEnd(connection: Connection, reason: string): void
}

type Stage = 'hello' | 'finish' | 'transport' | 'ended'

export class Connection implements FaultSubject {
  readonly connectionNumber: number
  /** `15550001:1` once a login named its device. */
  device: string | undefined
  /** Set once the login was accepted. */
  companion: CompanionDevice | undefined
  readonly #webSocket: WebSocket
  readonly #tcpSocket: Socket
  readonly #faults: Faults
  readonly #handlers: ConnectionHandlers
  readonly #reader = new FrameReader()
  readonly #handshake: NoiseHandshake
  #stage: Stage = 'hello'
  #transport: NoiseTransport | undefined
  /** Incoming nodes are handled one after the other, in their order on the wire. */
  #handling: Promise<void> = Promise.resolve()
  #delayed = 0
  #lastDelayMs = 0

  constructor(
    connectionNumber: number,
    webSocket: WebSocket,
    tcpSocket: Socket,
    identity: ServerIdentity,
    faults: Faults,
    handlers: ConnectionHandlers,
  ) {
    this.connectionNumber = connectionNumber
    this.#webSocket = webSocket
    this.#tcpSocket = tcpSocket
    this.#faults = faults
    this.#handlers = handlers
    this.#handshake = new NoiseHandshake(identity)
    webSocket.on('message', (data) => this.#receive(data))
    webSocket.on('ping', (data) => this.#write(() => webSocket.pong(data)))
    this.#holdBackCloseWhileSilent()
    webSocket.on('close', () => this.#ended('closed by the client'))
    webSocket.on('error', () => this.#ended('socket error'))
  }

  get open(): boolean {
    return this.#stage !== 'ended'
  }

  /** Writes a node; a silent or ended connection swallows it. */
  send(value: BinaryNode): void {
    this.#write(() => {
      if (this.#transport) this.#webSocket.send(frame(this.#transport.encrypt(encodeNode(value))))
    })
  }

  /** Ends the stream as the server: last words, then a WebSocket close. */
  endWith(reason: string, ...lastWords: BinaryNode[]): void {
    for (const each of lastWords) this.send(each)
    this.#write(() => this.#webSocket.close())
    this.#ended(reason)
  }

  streamError(reason: string, attrs: BinaryNode['attrs'], ...content: BinaryNode[]): void {
    this.endWith(reason, node('stream:error', attrs, content))
  }

  /** A TCP reset, with no word before it. */
  reset(reason: string): void {
    this.#ended(reason)
    this.#tcpSocket.resetAndDestroy()
  }

  /** `ws` answers a close frame by calling `close`; a peer that is silent to that end leaves the client waiting for it. */
  #holdBackCloseWhileSilent(): void {
    const close = this.#webSocket.close.bind(this.#webSocket)
    this.#webSocket.close = (code, reason) => {
      if (!this.#faults.find('silent', this)?.request.ignoreClose) close(code, reason)
    }
  }

  #receive(data: RawData): void {
    if (this.#stage === 'ended') return
    const silent = this.#faults.find('silent', this) !== undefined
    try {
      this.#reader.push(data as Buffer)
      for (let next = this.#reader.next(); next; next = this.#reader.next()) this.#receiveFrame(next, silent)
    } catch (error) {
      this.#handlers.onProtocolError(this, error)
      this.reset('protocol error')
    }
  }

  #receiveFrame(payload: Buffer, silent: boolean): void {
    switch (this.#stage) {
      case 'hello': {
        if (silent) return
        const answer = this.#handshake.answerHello(payload)
        this.#stage = 'finish'
        this.#write(() => this.#webSocket.send(frame(answer)))
        return
      }
      case 'finish': {
        const introduction = this.#handshake.acceptFinish(payload)
        this.#transport = introduction.transport
        this.#stage = 'transport'
        if (!silent) this.#handlers.onIntroduced(this, introduction)
        return
      }
      case 'transport': {
        // Decrypted even when silent, so that the counters still agree when the silence is over.
        const plaintext = this.#transport?.decrypt(payload)
        if (!plaintext || silent) return
        const value = decodeNode(plaintext)
        this.#handling = this.#handling.then(() => this.#handle(value))
        return
      }
      case 'ended':
        return
    }
  }

  async #handle(value: BinaryNode): Promise<void> {
    if (this.#stage === 'ended') return
    try {
      await this.#handlers.onNode(this, value)
    } catch (error) {
      this.#handlers.onProtocolError(this, error)
      this.streamError('not well formed', {}, node('xml-not-well-formed'))
    }
  }

  #write(action: () => void): void {
    if (this.#stage === 'ended' || this.#faults.find('silent', this)) return
    const delay = this.#faults.find('delay', this)
    if (!delay && this.#delayed === 0) {
      action()
      return
    }
    // Behind what is delayed already, so that the order on the wire stays; equal timeouts fire in order.
    this.#delayed++
    setTimeout(() => {
      this.#delayed--
      if (this.#webSocket.readyState === this.#webSocket.OPEN) action()
    }, delay?.request.ms ?? this.#lastDelayMs)
    if (delay) this.#lastDelayMs = delay.request.ms
  }

  #ended(reason: string): void {
    if (this.#stage === 'ended') return
    this.#stage = 'ended'
    this.#handlers.onEnd(this, reason)
  }
}
