import type { WhatsAppSocket } from '../ports.ts'

/** Who is behind a chat: WhatsApp addresses the same person by phone number or by LID, and which is which the socket knows. */
export class People {
  #socket: Pick<WhatsAppSocket, 'idsOf'> | undefined

  /** The socket that is open now. */
  use(socket: Pick<WhatsAppSocket, 'idsOf'> | undefined): void {
    this.#socket = socket
  }

  /** All JIDs of the chat, as far as they are known; its own among them. */
  idsOf(chat: string): readonly string[] {
    const ids = this.#socket?.idsOf?.(chat) ?? []
    return ids.includes(chat) ? ids : [chat, ...ids]
  }

  /** One name for the chat, by whichever JID it is addressed: by phone number where that is known. */
  chatOf(chat: string): string {
    return this.idsOf(chat).find((id) => id.endsWith('@s.whatsapp.net')) ?? chat
  }
}
