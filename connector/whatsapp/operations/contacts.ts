import {
  getBinaryNodeChild,
  getBinaryNodeChildren,
  isLidUser,
  S_WHATSAPP_NET,
  USyncQuery,
  USyncUser,
  type WASocket,
} from '@whiskeysockets/baileys'
import type { CheckedContact, Person } from '../../../shared/domain/operations.ts'
import { type OperationContext, type OperationHandlers, Refused } from './context.ts'
import { personOf } from './persons.ts'
import { errorCodeOf } from './whatsapp-errors.ts'

/** Numbers that one query asks about. */
const numbersPerQuery = 50

type ContactKind =
  | 'check_contacts'
  | 'get_contact'
  | 'list_blocked'
  | 'block_contact'
  | 'unblock_contact'
  | 'subscribe_presence'

export const contactOperations: OperationHandlers<ContactKind> = {
  async check_contacts({ sock }, { phoneNumbers }) {
    const contacts: CheckedContact[] = []
    for (let at = 0; at < phoneNumbers.length; at += numbersPerQuery) {
      contacts.push(...(await check(sock, phoneNumbers.slice(at, at + numbersPerQuery))))
    }
    return { contacts }
  },

  async get_contact(context, { contact }) {
    const { sock } = context
    const person = await personOnWhatsApp(context, contact)
    const [status, pictureUrl] = await Promise.all([
      shown(sock.fetchStatus(contact)),
      shown(sock.profilePictureUrl(contact, 'image')),
    ])
    const { status: about, setAt } = (status?.[0] as { status?: AboutStatus } | undefined)?.status ?? {}
    return {
      ...person,
      ...(about && { about, ...(setAt && setAt.getTime() > 0 && { aboutSetAt: setAt.toISOString() }) }),
      ...(pictureUrl && { pictureUrl }),
    }
  },

  async list_blocked({ sock, state }) {
    const answer = await sock.query({ tag: 'iq', attrs: { xmlns: 'blocklist', to: S_WHATSAPP_NET, type: 'get' } })
    const items = getBinaryNodeChildren(getBinaryNodeChild(answer, 'list'), 'item')
    return { contacts: items.map(({ attrs }) => personOf([attrs.jid, attrs.pn_jid], state)) }
  },

  block_contact: (context, { contact }) => setBlocked(context, contact, true),
  unblock_contact: (context, { contact }) => setBlocked(context, contact, false),

  async subscribe_presence(context, { contact }) {
    const { sock, presences } = context
    const person = await personOnWhatsApp(context, contact)
    presences.follow(contact, person)
    await sock.presenceSubscribe(contact)
    return person
  },
}

interface AboutStatus {
  readonly status?: string | null
  readonly setAt?: Date
}

async function check(sock: WASocket, phoneNumbers: readonly string[]): Promise<readonly CheckedContact[]> {
  const query = new USyncQuery().withContactProtocol().withLIDProtocol()
  for (const phoneNumber of phoneNumbers) query.withUser(new USyncUser().withPhone(phoneNumber))
  const found = (await sock.executeUSyncQuery(query))?.list ?? []
  const byJid = new Map(found.map((user) => [user.id, user]))
  const asked = new Set(phoneNumbers.map(jidOf))
  // WhatsApp writes some countries' numbers in another way than people do; its answers keep the order of the questions.
  const others = found.length === phoneNumbers.length ? found : []
  const known: { lid: string; pn: string }[] = []
  const contacts = phoneNumbers.map((phoneNumber, at): CheckedContact => {
    const jid = jidOf(phoneNumber)
    const other = others[at]
    const user = byJid.get(jid) ?? (other !== undefined && !asked.has(other.id) ? other : undefined)
    if (user?.contact !== true) return { phoneNumber, onWhatsApp: false }
    const lid = typeof user.lid === 'string' ? user.lid : undefined
    if (lid !== undefined) known.push({ lid, pn: user.id })
    return {
      phoneNumber,
      onWhatsApp: true,
      ...(user.id !== jid && { jid: user.id }),
      ...(lid !== undefined && { lid }),
    }
  })
  if (known.length > 0) await sock.signalRepository.lidMapping.storeLIDPNMappings(known)
  return contacts
}

const jidOf = (phoneNumber: string): string => `${phoneNumber.slice(1)}@s.whatsapp.net`

/** A LID was given out by WhatsApp; a number may be anybody's. @throws Refused where it is not on WhatsApp. */
async function personOnWhatsApp({ sock, state }: OperationContext, contact: string): Promise<Person> {
  if (isLidUser(contact)) return personOf([contact], state)
  const [checked] = await check(sock, [`+${contact.split('@')[0]}`])
  if (checked?.onWhatsApp !== true) throw notOnWhatsApp
  return personOf([contact, checked.lid], state)
}

const notOnWhatsApp = new Refused({ code: 'not_on_whatsapp', message: 'This number is not on WhatsApp.' })

/** WhatsApp wants both addresses of who is blocked. */
async function setBlocked(context: OperationContext, contact: string, blocked: boolean) {
  const { sock, state } = context
  const { lidMapping } = sock.signalRepository
  if (isLidUser(contact)) {
    if (blocked && !(await lidMapping.getPNForLID(contact))) {
      const message = 'The phone number behind this LID is not known; give the number.'
      throw new Refused({ code: 'not_found', message })
    }
  } else await personOnWhatsApp(context, contact)
  await sock.updateBlockStatus(contact, blocked ? 'block' : 'unblock')
  return { ...personOf([contact], state), blocked }
}

/** Undefined where this account may not see it, or there is none. */
async function shown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (hidden.has(errorCodeOf(error))) return undefined
    throw error
  }
}

const hidden: ReadonlySet<number | undefined> = new Set([401, 403, 404])
