/** What a phone sent lately: its plaintext, for retries, and what the recipient's devices said about it. */

import { type DeviceAddress, deviceKey } from './jids.ts'

export interface DeviceReceipts {
  delivered?: string
  read?: string
  retries?: number
}

export interface SentMessage {
  id: string
  to: string
  text: string
  sentAt: string
  /** The Message protobuf. */
  message: Buffer
  /** By the recipient's device. */
  receipts: Record<string, DeviceReceipts>
}

const KEPT_MAX = 5000

export class SentMessages {
  readonly #messages = new Map<string, SentMessage>()

  add(message: Omit<SentMessage, 'receipts'>): void {
    this.#messages.set(message.id, { ...message, receipts: {} })
    const oldest = this.#messages.keys().next().value
    if (this.#messages.size > KEPT_MAX && oldest !== undefined) this.#messages.delete(oldest)
  }

  get(id: string): SentMessage | undefined {
    return this.#messages.get(id)
  }

  noteReceipt(device: DeviceAddress, id: string, type: string | undefined, at: string): void {
    const receipts = this.#receipts(device, id)
    if (!receipts) return
    if (type === 'read' || type === 'played') receipts.read = at
    else if (type === undefined) receipts.delivered = at
  }

  /** Returns how often the device has asked for this message by now; 0 if it is not kept. */
  noteRetry(device: DeviceAddress, id: string): number {
    const receipts = this.#receipts(device, id)
    if (!receipts) return 0
    receipts.retries = (receipts.retries ?? 0) + 1
    return receipts.retries
  }

  shown(): Omit<SentMessage, 'message'>[] {
    return [...this.#messages.values()].map(({ message: _, ...shown }) => shown)
  }

  #receipts(device: DeviceAddress, id: string): DeviceReceipts | undefined {
    const sent = this.#messages.get(id)
    if (!sent) return undefined
    sent.receipts[deviceKey(device)] ??= {}
    return sent.receipts[deviceKey(device)]
  }
}
