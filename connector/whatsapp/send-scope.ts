import { AsyncLocalStorage } from 'node:async_hooks'

/** One try of a send, as the Signal repository sees it from inside Baileys. */
export interface SendTry {
  readonly whatsappId: string
  /** The caller was told that nothing left: no ciphertext may be made for it any more. */
  givenUp: boolean
  /** A ciphertext exists, so its bytes may leave. */
  encrypted: boolean
  /** Under which the contact's privacy token is kept, where it is to be given one after this message. */
  tokenDue?: string
}

/** Which send the current asynchronous work is for. Baileys' own resends (retry receipts) are for none. */
export const sendScope = new AsyncLocalStorage<SendTry>()
