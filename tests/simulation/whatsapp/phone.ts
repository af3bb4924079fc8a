import type { Audit } from '../audit.ts'
import type { Ciphertext, InboundSecret } from './protocol.ts'

/** The other side of one chat: opens what a device sends, shows each message once, and writes back. */
export class Phone {
  readonly chat: string
  /** WhatsApp ids in the order in which a person saw them. */
  readonly shown: string[] = []
  /** Messages written by the person, by WhatsApp id. */
  readonly written = new Map<string, InboundSecret>()
  /** When the newest message on its way to the phone gets there. */
  reachedAt = 0
  readonly #audit: Audit
  readonly #connection: string
  /** Which encryption used a key, by identity and number. */
  readonly #keysUsed = new Map<string, string>()
  readonly #counters = new Map<string, number>()

  constructor(audit: Audit, connection: string, chat: string) {
    this.#audit = audit
    this.#connection = connection
    this.chat = chat
  }

  /** True: shown for the first time. */
  receive(message: Ciphertext): boolean {
    const key = `${message.identity}#${message.counter}`
    const before = this.#keysUsed.get(key)
    if (before !== undefined && before !== message.nonce) {
      this.#audit.ratchetRolledBack(this.#connection, this.chat, message.counter)
    }
    this.#keysUsed.set(key, message.nonce)
    if (this.shown.includes(message.whatsappId)) return false
    this.shown.push(message.whatsappId)
    this.#audit.shown(this.#connection, this.chat, this.shown)
    return true
  }

  /** The ciphertext of a new message for the device with that identity. */
  write(identity: string, whatsappId: string, body: string): Uint8Array {
    const counter = (this.#counters.get(identity) ?? 0) + 1
    this.#counters.set(identity, counter)
    const secret: InboundSecret = { identity, counter, body }
    this.written.set(whatsappId, secret)
    return new TextEncoder().encode(JSON.stringify(secret))
  }
}
