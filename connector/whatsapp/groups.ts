import {
  areJidsSameUser,
  type BaileysEventEmitter,
  type CacheStore,
  type GroupMetadata,
  type WASocket,
} from '@whiskeysockets/baileys'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { HandOver } from '../ports.ts'

/** Who is in a group, until WhatsApp tells of a change. */
export class GroupCache {
  readonly #entries: CacheStore

  constructor(entries: CacheStore) {
    this.#entries = entries
  }

  known(jid: string): GroupMetadata | undefined {
    return this.#entries.get(jid) as GroupMetadata | undefined
  }

  /** JIDs of a member of a known group: phone number and LID, as far as the group tells them. */
  idsOfMember(group: string, member: string): readonly string[] {
    const found = this.known(group)?.participants.find(({ id }) => areJidsSameUser(id, member))
    return [found?.phoneNumber, found?.lid].filter((jid) => jid !== undefined)
  }

  keep(metadata: GroupMetadata): void {
    this.#entries.set(metadata.id, metadata)
  }

  forget(jid: string): void {
    this.#entries.del(jid)
  }

  watch(events: Pick<BaileysEventEmitter, 'on'>): void {
    const forget = (jid: string | undefined): void => {
      if (jid !== undefined) this.#entries.del(jid)
    }
    events.on('groups.update', (updates) => {
      for (const { id } of updates) forget(id)
    })
    events.on('group-participants.update', ({ id }) => forget(id))
    // A change while nobody listened is not told: what was known before is of the last socket.
    events.on('connection.update', ({ connection }) => {
      if (connection === 'open') this.#entries.flushAll()
    })
  }
}

/**
 * As for a person (`Recipients`): members, their devices and keys are asked for before Baileys' account-wide transaction.
 * Undefined when the send may go on.
 */
export async function prepareGroup(
  sock: WASocket,
  state: Pick<ConnectionAuthState, 'creds' | 'read'>,
  groups: GroupCache,
  chat: string,
): Promise<HandOver | undefined> {
  const { me } = state.creds
  if (me === undefined) return { kind: 'not_sent', why: 'the device is not linked' }
  let metadata = groups.known(chat)
  if (metadata === undefined) {
    try {
      metadata = await sock.groupMetadata(chat)
    } catch (error) {
      if (!noMember.has(codeOf(error))) throw error
      const why = 'to: the group does not exist, or this connection is not in it'
      return { kind: 'refused', code: 'invalid_content', why }
    }
    groups.keep(metadata)
  }
  const devices = await sock.getUSyncDevices(
    metadata.participants.map(({ id }) => id),
    true,
    false,
  )
  const keyed = (state.read('sender-key-memory', chat) ?? {}) as Readonly<Record<string, unknown>>
  const own = new Set([me.id, me.lid])
  const strangers = devices.map(({ jid }) => jid).filter((jid) => !own.has(jid) && keyed[jid] === undefined)
  if (strangers.length > 0) await sock.assertSessions(strangers)
  return undefined
}

/** Of a group query: not authorized, forbidden, not found, gone. */
const noMember: ReadonlySet<unknown> = new Set([401, 403, 404, 410])

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'data' in error ? error.data : undefined
}
