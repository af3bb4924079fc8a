import type { MessageLookup } from '../domain/stores/messages.ts'
import { inboundMessageIdOf, messageKey, outboundKey } from './ids.ts'
import { readMessage } from './message-items.ts'
import type { StoreTable } from './requests.ts'

/** One consistent read per place where the message may be: one for our own ids and for our own sends. 1 RCU each. */
export function messageLookup(store: StoreTable): MessageLookup {
  return {
    async find(ref, id, where = []) {
      const keys = /^(?:msg|wam)_/.test(id)
        ? [messageKey(id)]
        : [outboundKey(id), ...where.map(({ chat, sender }) => messageKey(inboundMessageIdOf(chat, sender, id)))]
      for (const key of new Set(keys)) {
        const row = await readMessage(store, ref, key)
        if (row !== undefined) return row
      }
      return undefined
    },
  }
}
