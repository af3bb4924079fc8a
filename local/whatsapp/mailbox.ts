/**
 * What a companion device still has to acknowledge, in order. A stanza stays until the client's receipt or ack: what was
 * written to a socket that died comes again at the next login. After a login the backlog goes first, in batches that the
 * client pulls, stamped `offline="1"`, `"2"`, …; live stanzas follow only after `<offline count>`.
 */

import { type BinaryNode, decodeNode, encodeNode, node } from './binary-node.ts'

export type StanzaKind = 'message' | 'receipt' | 'notification'

/** Where a mailbox writes; a connection, seen from here. */
export interface StanzaSink {
  send(node: BinaryNode): void
}

export interface MailboxRecord {
  /** Pairs of key and binary node in base64, oldest first. */
  stanzas: [string, string][]
}

type Delivery =
  | { stage: 'away' }
  | { stage: 'backlog'; sink: StanzaSink; waiting: string[]; backlog: ReadonlySet<BinaryNode>; sent: number }
  | { stage: 'live'; sink: StanzaSink }

/** The most that one batch holds, whatever the client asks for. */
const BATCH_MAX = 100

/** What the client's ack of a stanza repeats; `peer` is whom the stanza came from. */
export interface StanzaName {
  id: string
  peer?: string | undefined
  type?: string | undefined
  participant?: string | undefined
}

/** Receipts of several kinds and of several members share a message's id, so their key has all that the ack repeats. */
export function stanzaKey(kind: string, { id, peer, type, participant }: StanzaName): string {
  return kind === 'message' ? `message ${id}` : `${kind} ${id} ${peer ?? ''} ${type ?? ''} ${participant ?? ''}`
}

function keyOf(stanza: BinaryNode): string {
  const { id = '', from, type, participant } = stanza.attrs
  return stanzaKey(stanza.tag, { id, peer: from, type, participant })
}

export class Mailbox {
  readonly #onChange: () => void
  readonly #stanzas = new Map<string, BinaryNode>()
  #delivery: Delivery = { stage: 'away' }

  constructor(onChange: () => void, record?: MailboxRecord) {
    this.#onChange = onChange
    for (const [key, encoded] of record?.stanzas ?? []) {
      this.#stanzas.set(key, decodeNode(Buffer.from(encoded, 'base64')))
    }
  }

  get size(): number {
    return this.#stanzas.size
  }

  /** Keeps the stanza until it is acknowledged, and writes it now if the device is live. */
  deliver(stanza: BinaryNode): void {
    const key = keyOf(stanza)
    this.#stanzas.delete(key)
    this.#stanzas.set(key, stanza)
    this.#onChange()
    if (this.#delivery.stage === 'live') this.#delivery.sink.send(stanza)
  }

  /** Whether the same stanza waits for its ack already. */
  holds(stanza: BinaryNode): boolean {
    return this.#stanzas.has(keyOf(stanza))
  }

  acknowledge(key: string): void {
    if (this.#stanzas.delete(key)) this.#onChange()
  }

  /** The client is ready for its backlog. */
  begin(sink: StanzaSink): void {
    if (this.#delivery.stage !== 'away') return
    const waiting = [...this.#stanzas.keys()]
    this.#delivery = { stage: 'backlog', sink, waiting, backlog: new Set(this.#stanzas.values()), sent: 0 }
    if (waiting.length === 0) this.#finishBacklog()
    else this.#preview()
  }

  /** `<ib><offline_batch count>`: the next part of the backlog. */
  pull(count: number): void {
    const delivery = this.#delivery
    if (delivery.stage !== 'backlog') return
    for (const key of delivery.waiting.splice(0, Math.max(1, Math.min(count, BATCH_MAX)))) {
      const stanza = this.#stanzas.get(key)
      if (!stanza) continue
      delivery.sent++
      delivery.sink.send({ ...stanza, attrs: { ...stanza.attrs, offline: delivery.sent.toString() } })
    }
    if (delivery.waiting.length === 0) this.#finishBacklog()
    else this.#preview()
  }

  leave(): void {
    this.#delivery = { stage: 'away' }
  }

  record(): MailboxRecord {
    return { stanzas: [...this.#stanzas].map(([key, stanza]) => [key, encodeNode(stanza).toString('base64')]) }
  }

  /** Announces what waits; the client pulls a batch in answer. */
  #preview(): void {
    if (this.#delivery.stage !== 'backlog') return
    const { waiting, sink } = this.#delivery
    const count = (kind: StanzaKind) => waiting.filter((key) => key.startsWith(`${kind} `)).length.toString()
    const attrs = {
      count: waiting.length.toString(),
      message: count('message'),
      receipt: count('receipt'),
      notification: count('notification'),
      appdata: '0',
    }
    sink.send(node('ib', { from: 's.whatsapp.net' }, [node('offline_preview', attrs)]))
  }

  #finishBacklog(): void {
    if (this.#delivery.stage !== 'backlog') return
    const { sink, backlog } = this.#delivery
    this.#delivery = { stage: 'live', sink }
    sink.send(node('ib', { from: 's.whatsapp.net' }, [node('offline', { count: backlog.size.toString() })]))
    for (const stanza of this.#stanzas.values()) if (!backlog.has(stanza)) sink.send(stanza)
  }
}
