import {
  DEFAULT_CONNECTION_CONFIG,
  jidDecode,
  type SignalKeyStore,
  type SignalRepositoryWithLIDStore,
  type SocketConfig,
} from '@whiskeysockets/baileys'
import { GroupCipher } from '@whiskeysockets/baileys/lib/Signal/Group/group_cipher.js'
import { GroupSessionBuilder } from '@whiskeysockets/baileys/lib/Signal/Group/group-session-builder.js'
import { SenderKeyDistributionMessage } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-distribution-message.js'
import { SenderKeyName } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-name.js'
import { SenderKeyRecord } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-record.js'
import { SessionBuilder } from 'libsignal'
import type { ConnectionAuthState, SignalChange } from '../auth/auth-state.ts'
import type { Inbox } from './inbox.ts'
import { identityOfPreKeyMessage } from './prekey-message.ts'
import { sendScope } from './send-scope.ts'
import { TryingSessionCipher } from './session-cipher.ts'
import { hasOpenSession, openSessionOf } from './session-record.ts'
import { literalAddress, QualifiedAddress, sessionAddress } from './signal-address.ts'
import { StagedSignalStorage } from './signal-storage.ts'

/** Where another session is wanted even though one with the same identity is open: the contact could not decrypt. */
export interface SessionRenewals {
  /** True once for each time that the contact asked. `record` as in `QualifiedAddress`. */
  take(user: string): boolean
}

export interface SignalRepositoryDependencies {
  readonly state: ConnectionAuthState
  /** Names the account in libsignal's queue. */
  readonly account: string
  readonly inbox: Inbox
  readonly renewals: SessionRenewals
}

/**
 * Baileys' Signal repository over the auth state itself. Baileys' own works on its transaction's copy of the keys and commits
 * after the stanza is written; here an operation's changes are in the auth state, and so before the egress gate, as soon as
 * it ends. All operations on one session go one after another, whichever id of the contact they come by.
 */
export function signalRepository(deps: SignalRepositoryDependencies): SocketConfig['makeSignalRepository'] {
  const { state, account, inbox, renewals } = deps
  const exclusively = serialByKey()

  return (auth, logger, pnToLid) => {
    const inner = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid)
    const addressOf = async (jid: string): Promise<QualifiedAddress> => {
      const { name, device } = await sessionAddress(jid, auth.keys)
      return new QualifiedAddress(account, name, device)
    }
    const senderKeyName = (group: string, jid: string): SenderKeyName => {
      const { name, device } = literalAddress(jid)
      return new SenderKeyName(group, new QualifiedAddress(account, name, device))
    }
    const withOwnSenderKey = async (storage: StagedSignalStorage, name: SenderKeyName) => {
      if (!storage.hasSenderKey(name)) await storage.storeSenderKey(name, new SenderKeyRecord())
      return new GroupSessionBuilder(storage).create(name)
    }
    const openSession = async (jid: string) => openSessionOf(state.read('session', (await addressOf(jid)).record))

    const repository: Omit<SignalRepositoryWithLIDStore, 'lidMapping' | 'close' | 'jidToSignalProtocolAddress'> = {
      async encryptMessage({ jid, data }) {
        const address = await addressOf(jid)
        return exclusively(address.record, async () => {
          const send = sendScope.getStore()
          if (send?.givenUp) throw new Error('the send was given up')
          const storage = new StagedSignalStorage(state)
          const { type, body } = await new TryingSessionCipher(storage, address).encrypt(Buffer.from(data))
          if (send?.givenUp) throw new Error('the send was given up')
          if (send !== undefined) {
            send.encrypted = true
            state.attempt(send.whatsappId)
          }
          state.apply(storage.changes)
          return { type: type === 3 ? 'pkmsg' : 'msg', ciphertext: Buffer.from(body, 'binary') }
        })
      },

      async decryptMessage({ jid, type, ciphertext }) {
        const address = await addressOf(jid)
        return inbox.open(ciphertext, (keep) =>
          exclusively(address.record, async () => {
            const storage = new StagedSignalStorage(state)
            if (type === 'pkmsg') {
              const identity = identityOfPreKeyMessage(ciphertext)
              // Kept even where decryption fails then: it is how a contact that reinstalled is recognised.
              if (identity !== undefined && storage.saveIdentity(address.record, identity)) state.apply(storage.changes)
            }
            const cipher = new TryingSessionCipher(storage, address)
            const bytes = Buffer.from(ciphertext)
            const plaintext =
              type === 'pkmsg'
                ? await cipher.decryptPreKeyWhisperMessage(bytes)
                : await cipher.decryptWhisperMessage(bytes)
            keep(plaintext)
            state.apply(storage.changes)
            return plaintext
          }),
        )
      },

      async decryptGroupMessage({ group, authorJid, msg }) {
        const name = senderKeyName(group, authorJid)
        return inbox.open(msg, (keep) =>
          exclusively(name.toString(), async () => {
            const storage = new StagedSignalStorage(state)
            const plaintext = await new GroupCipher(storage, name).decrypt(msg)
            keep(plaintext)
            state.apply(storage.changes)
            return plaintext
          }),
        )
      },

      async encryptGroupMessage({ group, meId, data }) {
        const name = senderKeyName(group, meId)
        return exclusively(name.toString(), async () => {
          const send = sendScope.getStore()
          if (send?.givenUp) throw new Error('the send was given up')
          const storage = new StagedSignalStorage(state)
          const distribution = await withOwnSenderKey(storage, name)
          const ciphertext = await new GroupCipher(storage, name).encrypt(data)
          if (send !== undefined) {
            send.encrypted = true
            state.attempt(send.whatsappId)
          }
          state.apply(storage.changes)
          return { ciphertext, senderKeyDistributionMessage: distribution.serialize() }
        })
      },

      async getSenderKeyDistributionMessage({ group, meId }) {
        const name = senderKeyName(group, meId)
        return exclusively(name.toString(), async () => {
          const storage = new StagedSignalStorage(state)
          const distribution = await withOwnSenderKey(storage, name)
          state.apply(storage.changes)
          return distribution.serialize()
        })
      },

      async processSenderKeyDistributionMessage({ item, authorJid }) {
        if (!item.groupId) throw new Error('sender key distribution: expected a group id')
        const name = senderKeyName(item.groupId, authorJid)
        await exclusively(name.toString(), async () => {
          const storage = new StagedSignalStorage(state)
          const message = new SenderKeyDistributionMessage(
            null,
            null,
            null,
            null,
            item.axolotlSenderKeyDistributionMessage,
          )
          await new GroupSessionBuilder(storage).process(name, message)
          state.apply(storage.changes)
        })
      },

      async hasSenderKey({ group, meId }) {
        return new StagedSignalStorage(state).hasSenderKey(senderKeyName(group, meId))
      },

      /**
       * Baileys asks for a bundle at each new socket's first send to a contact and would open one more session with it;
       * libsignal keeps forty closed ones. With the same identity and installation the open one is as good.
       */
      async injectE2ESession({ jid, session }) {
        const address = await addressOf(jid)
        await exclusively(address.record, async () => {
          const open = openSessionOf(state.read('session', address.record))
          const renewal = renewals.take(jidDecode(jid)?.user ?? '')
          const same =
            open !== undefined &&
            open.registrationId === session.registrationId &&
            Buffer.compare(open.remoteIdentityKey, session.identityKey) === 0
          if (same && !renewal) return
          const storage = new StagedSignalStorage(state)
          // libsignal takes a bundle without a one-time prekey; only its types ask for one.
          const bundle = session as Parameters<SessionBuilder['initOutgoing']>[0]
          await new SessionBuilder(storage, address).initOutgoing(bundle)
          state.apply(storage.changes)
        })
      },

      async validateSession(jid) {
        const text = state.text('session', (await addressOf(jid)).record)
        return hasOpenSession(text) ? { exists: true } : { exists: false, reason: 'no open session' }
      },

      async getSessionInfo(jid) {
        const open = await openSession(jid)
        return open === undefined ? null : { baseKey: open.baseKey, registrationId: open.registrationId }
      },

      async deleteSession(jids) {
        const changes: SignalChange[] = []
        for (const jid of jids) {
          const { name, device } = literalAddress(jid)
          for (const id of new Set([`${name}.${device}`, (await addressOf(jid)).record])) {
            changes.push({ type: 'session', id, value: null })
          }
        }
        state.apply(changes)
      },

      async migrateSession(fromJid, toJid) {
        return migrate(state, auth.keys, fromJid, toJid)
      },
    }
    return { ...inner, ...repository, lidMapping: inner.lidMapping }
  }
}

/** A contact's sessions move from its phone number to its LID, each in one step with the removal of the old record. */
async function migrate(
  state: ConnectionAuthState,
  keys: Pick<SignalKeyStore, 'get'>,
  fromJid: string,
  toJid: string,
): Promise<{ migrated: number; skipped: number; total: number }> {
  const from = jidDecode(fromJid)
  const to = jidDecode(toJid)
  const nothing = { migrated: 0, skipped: 0, total: 0 }
  if (from === undefined || to === undefined) return nothing
  if (from.server !== 's.whatsapp.net' || to.server !== 'lid') return nothing
  const listed = (await keys.get('device-list', [from.user]))[from.user] ?? []
  const devices = new Set([...listed.map(Number), from.device ?? 0])
  const changes: SignalChange[] = []
  for (const device of devices) {
    const oldId = `${from.user}.${device}`
    const newId = `${literalAddress(`${to.user}@lid`).name}.${device}`
    const record = state.read('session', oldId)
    if (openSessionOf(record) === undefined) continue
    // A session that is open under the LID already is the newer one.
    if (openSessionOf(state.read('session', newId)) === undefined)
      changes.push({ type: 'session', id: newId, value: record })
    changes.push({ type: 'session', id: oldId, value: null })
  }
  state.apply(changes)
  const migrated = changes.filter(({ value }) => value !== null).length
  return { migrated, skipped: devices.size - migrated, total: devices.size }
}

/** Runs work with the same key one after another, in order of arrival. */
function serialByKey(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>()
  return (key, work) => {
    const result = (tails.get(key) ?? Promise.resolve()).then(work)
    const tail = result.catch(() => undefined)
    tails.set(key, tail)
    void tail.then(() => {
      if (tails.get(key) === tail) tails.delete(key)
    })
    return result
  }
}
