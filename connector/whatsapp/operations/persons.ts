import { isLidUser, isPnUser, jidDecode } from '@whiskeysockets/baileys'
import type { Person } from '../../../shared/domain/operations.ts'
import type { ConnectionAuthState } from '../../auth/auth-state.ts'
import { idsOfPerson } from '../person-ids.ts'

/** A person under the JIDs that are at hand, and those that this device knows beside them. */
export function personOf(jids: readonly (string | undefined)[], state: Pick<ConnectionAuthState, 'read'>): Person {
  const ids = jids.flatMap((jid) => (jid === undefined ? [] : idsOfPerson(jid, state)))
  const phone = ids.find((id) => isPnUser(id))
  const lid = ids.find((id) => isLidUser(id))
  return {
    ...(phone !== undefined && { phoneNumber: `+${jidDecode(phone)?.user}` }),
    ...(lid !== undefined && { lid }),
  }
}

/** Whether one of the JIDs is this account's own. */
export function isOwn(jids: readonly (string | undefined)[], state: Pick<ConnectionAuthState, 'creds'>): boolean {
  const { me } = state.creds
  const own = [me?.id, me?.lid].map((jid) => jidDecode(jid)?.user)
  return jids.some((jid) => jid !== undefined && own.includes(jidDecode(jid)?.user))
}
