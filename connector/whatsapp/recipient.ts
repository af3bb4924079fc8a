import { areJidsSameUser, jidDecode, jidNormalizedUser, type WASocket } from '@whiskeysockets/baileys'
import type { Creds } from '../auth/auth-state.ts'
import type { HandOver } from '../ports.ts'

/**
 * Asks WhatsApp for the recipient's devices and keys where they are not known, before Baileys' account-wide transaction: a new
 * contact then holds up nobody else's send, and a lost answer can't make Baileys send to our own devices only. Undefined when
 * the send may go on.
 */
export async function prepareRecipient(sock: WASocket, me: Creds['me'], chat: string): Promise<HandOver | undefined> {
  if (me === undefined) return { kind: 'not_sent', why: 'the device is not linked' }
  const own = jidNormalizedUser(chat.endsWith('@lid') && me.lid !== undefined ? me.lid : me.id)
  const devices = await sock.getUSyncDevices([own, chat], true, false)
  const ownUsers = new Set([jidDecode(me.id)?.user, jidDecode(me.lid)?.user])
  const toSelf = areJidsSameUser(chat, me.id) || areJidsSameUser(chat, me.lid)
  if (!toSelf && !devices.some(({ user }) => !ownUsers.has(user))) return unreachable(sock, chat)
  await sock.assertSessions(devices.map(({ jid }) => jid).filter((jid) => jid !== me.id && jid !== me.lid))
  return undefined
}

async function unreachable(sock: WASocket, chat: string): Promise<HandOver> {
  const notSent: HandOver = { kind: 'not_sent', why: 'WhatsApp named no devices of the recipient' }
  if (chat.endsWith('@lid')) return notSent
  const found = await sock.onWhatsApp(chat)
  if (found === undefined || found.some(({ exists }) => exists)) return notSent
  return { kind: 'refused', code: 'not_on_whatsapp', why: 'the number is not on WhatsApp' }
}
