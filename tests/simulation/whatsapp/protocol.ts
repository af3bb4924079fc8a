/** What goes over the simulated wire: the stanzas that matter here, in the clear. */

export type ToServer =
  | { readonly kind: 'login'; readonly identity: string }
  /** Asks for a QR code. */
  | { readonly kind: 'link' }
  /** Our reply to `linked`: only now does WhatsApp keep the device. */
  | { readonly kind: 'link_reply'; readonly identity: string }
  | { readonly kind: 'prekeys'; readonly query: number; readonly chat: string }
  | Ciphertext
  /** An inbound message was received for good. */
  | { readonly kind: 'receipt'; readonly whatsappId: string }
  /** A receipt for one of our sends was received for good. */
  | { readonly kind: 'receipt_ack'; readonly whatsappId: string; readonly step: ReceiptStep }
  | { readonly kind: 'ping'; readonly query: number }
  | { readonly kind: 'remove_device'; readonly query: number }

/** A send as it leaves: encrypted with key number `counter` of the identity's ratchet with that chat. */
export interface Ciphertext {
  readonly kind: 'message'
  readonly whatsappId: string
  readonly chat: string
  readonly identity: string
  readonly counter: number
  /** Differs for every encryption. */
  readonly nonce: string
}

export type ReceiptStep = 'delivered' | 'read'

export type ToClient =
  | { readonly kind: 'connected' }
  | { readonly kind: 'refused'; readonly upgradeStatus: number }
  | { readonly kind: 'success' }
  | { readonly kind: 'qr'; readonly text: string }
  | { readonly kind: 'linked'; readonly account: string; readonly jid: string }
  | { readonly kind: 'answer'; readonly query: number }
  | { readonly kind: 'ack'; readonly whatsappId: string; readonly error?: string }
  | { readonly kind: 'receipt'; readonly whatsappId: string; readonly step: ReceiptStep }
  | { readonly kind: 'receipt_ack'; readonly whatsappId: string }
  | { readonly kind: 'message'; readonly whatsappId: string; readonly chat: string; readonly ciphertext: Uint8Array }
  /** The last one: how the server ends the connection; without a code the network broke. */
  | { readonly kind: 'end'; readonly statusCode?: number; readonly conflict?: string }

/** What an inbound ciphertext holds; `counter` is the phone's key number towards that identity. */
export interface InboundSecret {
  readonly identity: string
  readonly counter: number
  readonly body: string
}
