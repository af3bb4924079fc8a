/** What a phone sent lately: its plaintext, for retries, and what the recipients' devices said about it. */

import { type DeviceAddress, deviceKey } from './jids.ts'
import type { MessageView } from './message-view.ts'

export interface DeviceReceipts {
  delivered?: string
  read?: string
  played?: string
  retries?: number
}

export interface SentMessage {
  id: string
  /** A phone number, or the id of a group. */
  to: string
  sentAt: string
  view: MessageView
  /** The Message protobuf. */
  message: Buffer
  /** What the stanza says of it, which a retry repeats. */
  attrs: { type: string; mediaType?: string; edit?: string }
  /** By the recipient's device. */
  receipts: Record<string, DeviceReceipts>
}

/** As the control API shows it. */
export type ShownSentMessage = Omit<SentMessage, 'message' | 'view' | 'attrs'> & MessageView

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
    if (type === undefined) receipts.delivered ??= at
    else if (type === 'read' || type === 'played') receipts[type] ??= at
    if (type === 'played') receipts.read ??= at
  }

  /** Returns how often the device has asked for this message by now; 0 if it is not kept. */
  noteRetry(device: DeviceAddress, id: string): number {
    const receipts = this.#receipts(device, id)
    if (!receipts) return 0
    receipts.retries = (receipts.retries ?? 0) + 1
    return receipts.retries
  }

  shown(): ShownSentMessage[] {
    return [...this.#messages.values()].map(({ message: _message, attrs: _attrs, view, ...shown }) => ({
      ...shown,
      ...view,
    }))
  }

  #receipts(device: DeviceAddress, id: string): DeviceReceipts | undefined {
    const sent = this.#messages.get(id)
    if (!sent) return undefined
    sent.receipts[deviceKey(device)] ??= {}
    return sent.receipts[deviceKey(device)]
  }
}
