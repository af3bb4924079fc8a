import { jidDecode, jidNormalizedUser } from '@whiskeysockets/baileys'
import type { ConnectionAuthState } from '../auth/auth-state.ts'

/** A person's JIDs, the given one first: WhatsApp addresses the same person by phone number or by LID. None for a group. */
export function idsOfPerson(jid: string, state: Pick<ConnectionAuthState, 'read'>): readonly string[] {
  const { user, server } = jidDecode(jid) ?? {}
  if (user === undefined) return []
  switch (server) {
    case 'lid': {
      const phone = state.read('lid-mapping', `${user}_reverse`)
      return [jidNormalizedUser(jid), ...(typeof phone === 'string' ? [`${phone}@s.whatsapp.net`] : [])]
    }
    case 's.whatsapp.net': {
      const lid = state.read('lid-mapping', user)
      return [jidNormalizedUser(jid), ...(typeof lid === 'string' ? [`${lid}@lid`] : [])]
    }
    default:
      return []
  }
}
