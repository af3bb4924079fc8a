import { createHash } from 'node:crypto'
import type { BinaryNode } from '@whiskeysockets/baileys'
import type { ConnectionAuthState, KeptInbound } from '../auth/auth-state.ts'
import type { Clock, InboundMessage, Log, Timer } from '../ports.ts'
import { type ReadMessage, readInbound, readPublished } from './inbound-content.ts'
import type { References } from './references.ts'

export interface InboxDependencies {
  readonly state: ConnectionAuthState
  readonly clock: Clock
  readonly log: Log
  /** Absent: what a message is about keeps WhatsApp's id. */
  readonly references?: Pick<References, 'resolve'>
  readonly onInbound: (message: InboundMessage) => Promise<void>
}

/** Stored messages kept all the same, where WhatsApp's acknowledgement of our receipt is not seen. */
const keptMax = 50
const retryBaseMs = 500
const retryMaxMs = 10_000

/**
 * What was decrypted stays, in the same append as the session it advanced, until its message row exists and WhatsApp has
 * acknowledged our receipt: a redelivery can't be decrypted twice, so it is answered from here. Baileys gets a plaintext, and
 * so sends the receipt, only once the row exists.
 */
export class Inbox {
  readonly #deps: InboxDependencies
  /** By the very array that Baileys hands to the cipher. */
  readonly #envelopes = new WeakMap<Uint8Array, BinaryNode>()
  readonly #deliveries = new Map<string, Promise<void>>()
  readonly #pauses = new Set<Timer>()
  #closed = false

  constructor(deps: InboxDependencies) {
    this.#deps = deps
  }

  /** A message stanza has come, not yet seen by Baileys. */
  arrived(stanza: BinaryNode): void {
    if (!Array.isArray(stanza.content)) return
    for (const child of stanza.content)
      if (child.content instanceof Uint8Array) this.#envelopes.set(child.content, stanza)
  }

  /** Delivers again what an earlier worker or socket left. */
  resume(): void {
    if (this.#closed) return
    for (const hash of this.#deps.state.inboundHashes()) void this.#delivered(hash)
  }

  /**
   * The plaintext of a ciphertext: from here if it was opened before, else by `decrypt`, which calls `keep` in the same
   * synchronous step in which it applies the session's change.
   */
  async open(
    ciphertext: Uint8Array,
    decrypt: (keep: (plaintext: Uint8Array) => void) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const hash = createHash('sha256').update(ciphertext).digest('base64url')
    const kept = this.#deps.state.inbound(hash)
    const stanza = this.#envelopes.get(ciphertext)
    let plaintext = kept?.plaintext
    if (plaintext === undefined) {
      plaintext = await decrypt((opened) => {
        if (stanza !== undefined) this.#deps.state.keepInbound(hash, keptOf(stanza, opened))
      })
    }
    // The receipt needs both: the append need not wait for the row.
    this.#deps.state.durable().catch(() => undefined)
    await this.#delivered(hash)
    return plaintext
  }

  /** What a channel published, in the clear. Resolves once it is stored; nothing to store: at once. Never rejects. */
  async published(stanza: BinaryNode): Promise<void> {
    const message = readPublished(stanza)
    if (message !== undefined) await this.#stored(message)
  }

  /** WhatsApp has our receipt: it will not deliver this message again. */
  receiptAcknowledged(whatsappId: string): void {
    const { state } = this.#deps
    for (const hash of state.inboundHashes()) {
      if (state.inboundStored(hash) && state.inbound(hash)?.whatsappId === whatsappId) state.dropInbound(hash)
    }
  }

  /** Nothing more is delivered; what is under way never comes to an end, so that nothing is acknowledged. */
  close(): void {
    this.#closed = true
    for (const pause of this.#pauses) pause.cancel()
    this.#pauses.clear()
  }

  #delivered(hash: string): Promise<void> {
    if (this.#deps.state.inboundStored(hash)) return Promise.resolve()
    const running = this.#deliveries.get(hash)
    if (running !== undefined) return running
    const kept = this.#deps.state.inbound(hash)
    if (kept === undefined) return Promise.resolve()
    const delivery = this.#deliver(kept).then(() => {
      this.#deliveries.delete(hash)
      this.#deps.state.markInboundStored(hash)
      this.#bound()
    })
    this.#deliveries.set(hash, delivery)
    return delivery
  }

  async #deliver(kept: KeptInbound): Promise<void> {
    const message = readInbound(kept, this.#deps.state)
    if (message !== undefined) await this.#stored(message)
  }

  async #stored(message: ReadMessage): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      if (this.#closed) await never()
      try {
        await this.#deps.onInbound(await this.#resolved(message))
        if (this.#closed) await never()
        return
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        this.#deps.log.warn({ whatsappId: message.whatsappId, reason }, 'an inbound message could not be stored yet')
        await this.#pause(Math.min(retryMaxMs, retryBaseMs * 2 ** failures))
      }
    }
  }

  async #resolved(read: ReadMessage): Promise<InboundMessage> {
    if (this.#deps.references !== undefined) return this.#deps.references.resolve(read)
    const { target: _target, vote: _vote, ...message } = read
    return message
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(delayMs, () => {
        this.#pauses.delete(timer)
        resolve()
      })
      this.#pauses.add(timer)
    })
  }

  #bound(): void {
    const { state } = this.#deps
    const stored = state.inboundHashes().filter((hash) => state.inboundStored(hash))
    for (const oldest of stored.slice(0, Math.max(0, stored.length - keptMax))) state.dropInbound(oldest)
  }
}

/** Attributes that name chat, sender and time. */
const envelopeAttributes = [
  'from',
  'participant',
  'recipient',
  'category',
  'sender_pn',
  'sender_lid',
  'participant_pn',
  'participant_lid',
  'notify',
  't',
] as const

function keptOf(stanza: BinaryNode, plaintext: Uint8Array): KeptInbound {
  const envelope: Record<string, string> = {}
  for (const name of envelopeAttributes) {
    const value = stanza.attrs[name]
    if (value !== undefined) envelope[name] = value
  }
  return { whatsappId: stanza.attrs.id ?? '', plaintext, envelope }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
