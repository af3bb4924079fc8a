import { isJidGroup, type WASocket } from '@whiskeysockets/baileys'
import type { MessageLookup } from '../../shared/domain/stores/messages.ts'
import { assertNever, type ChatPresence, type ConnectionRef, type Gesture } from '../../shared/domain/words.ts'

const presences = { typing: 'composing', recording: 'recording', paused: 'paused' } as const satisfies Record<
  ChatPresence,
  string
>

/** Read receipts, and what others see while somebody writes. */
export class Gestures {
  readonly #ref: ConnectionRef
  readonly #messages: MessageLookup | undefined

  constructor(ref: ConnectionRef, messages: MessageLookup | undefined) {
    this.#ref = ref
    this.#messages = messages
  }

  /** Rejects where it could not be done. A message that is not there was read by nobody. */
  async perform(sock: Pick<WASocket, 'readMessages' | 'sendPresenceUpdate'>, gesture: Gesture): Promise<void> {
    switch (gesture.kind) {
      case 'presence':
        return sock.sendPresenceUpdate(presences[gesture.presence], gesture.chat)
      case 'read': {
        const row = await this.#messages?.find(this.#ref, gesture.messageId)
        if (row?.direction !== 'inbound') return
        const { chat, whatsappId, sender } = row
        const participant = isJidGroup(chat) && sender !== undefined ? { participant: sender } : {}
        return sock.readMessages([{ remoteJid: chat, id: whatsappId, fromMe: false, ...participant }])
      }
      default:
        return assertNever(gesture)
    }
  }
}
