import {
  addTransactionCapability,
  type BinaryNode,
  DEFAULT_CONNECTION_CONFIG,
  generateSignalPubKey,
  type SignalRepositoryWithLIDStore,
} from '@whiskeysockets/baileys'
import { beforeEach, describe, expect, it } from 'vitest'
import { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import { authStates } from '../../../connector/auth/auth-states.ts'
import { processClock, processRandom } from '../../../connector/process-clock.ts'
import { baileysLogger } from '../../../connector/whatsapp/baileys-log.ts'
import { guardConsole } from '../../../connector/whatsapp/console-guard.ts'
import { newIdentity } from '../../../connector/whatsapp/identity.ts'
import { Inbox } from '../../../connector/whatsapp/inbox.ts'
import { baileysCreds, signalKeyStore } from '../../../connector/whatsapp/key-store.ts'
import { RetryRenewals } from '../../../connector/whatsapp/renewals.ts'
import { signalRepository } from '../../../connector/whatsapp/signal-repository.ts'
import { AuthTables, modelAuthStore } from '../../simulation/models/auth.ts'
import { holdingOf, silentLog } from './device.ts'

guardConsole()
const logger = baileysLogger(silentLog)
const transactions = { maxCommitRetries: 1, delayBetweenTriesMs: 1 }

interface Party {
  readonly jid: string
  readonly lid: string
  readonly state: ConnectionAuthState
  readonly repository: SignalRepositoryWithLIDStore
  readonly renewals: RetryRenewals
  readonly inbox: Inbox
  /** A bundle as the server hands it out, with one-time prekey 1. */
  bundle(): Parameters<SignalRepositoryWithLIDStore['injectE2ESession']>[0]['session']
}

async function party(user: string, lidUser: string): Promise<Party> {
  const store = modelAuthStore(new AuthTables())
  const states = authStates({ store, clock: processClock, random: processRandom, log: silentLog, newIdentity })
  const created = await states.create({ businessProfileId: 'bp', connectionId: user }, holdingOf(1))
  if (created.kind !== 'created' || !(created.state instanceof ConnectionAuthState)) throw new Error('not created')
  const { state } = created
  const inbox = new Inbox({ state, clock: processClock, log: silentLog, onInbound: () => Promise.resolve() })
  const renewals = new RetryRenewals(state, processClock)
  const creds = baileysCreds(state.creds)
  const preKey = baileysCreds(newIdentity()).signedIdentityKey
  state.apply([{ type: 'pre-key', id: '1', value: preKey }])
  return {
    jid: `${user}@s.whatsapp.net`,
    lid: `${lidUser}@lid`,
    state,
    inbox,
    renewals,
    repository: signalRepository({ state, account: user, inbox, renewals })(
      { creds, keys: addTransactionCapability(signalKeyStore(state, processClock), logger, transactions) },
      logger,
    ),
    bundle: () => ({
      registrationId: creds.registrationId,
      identityKey: generateSignalPubKey(creds.signedIdentityKey.public),
      signedPreKey: {
        keyId: creds.signedPreKey.keyId,
        publicKey: generateSignalPubKey(creds.signedPreKey.keyPair.public),
        signature: creds.signedPreKey.signature,
      },
      preKey: { keyId: 1, publicKey: generateSignalPubKey(preKey.public) },
    }),
  }
}

function knows(one: Party, other: Party): void {
  const [user, lid] = [other.jid.split('@')[0]!, other.lid.split('@')[0]!]
  one.state.apply([
    { type: 'lid-mapping', id: user, value: lid },
    { type: 'lid-mapping', id: `${lid}_reverse`, value: user },
  ])
}

function sessions(record: unknown): number {
  return Object.keys((record as { _sessions: object })._sessions).length
}

let ann: Party
let bob: Party
beforeEach(async () => {
  ann = await party('94770000001', '111')
  bob = await party('94770000002', '222')
  knows(ann, bob)
  knows(bob, ann)
  await ann.repository.injectE2ESession({ jid: bob.lid, session: bob.bundle() })
})

async function say(from: Party, to: Party, text: string, as: { to?: string; from?: string } = {}): Promise<string> {
  const sealed = await from.repository.encryptMessage({ jid: as.to ?? to.jid, data: Buffer.from(text) })
  const opened = await to.repository.decryptMessage({ jid: as.from ?? from.lid, ...sealed })
  return Buffer.from(opened).toString()
}

describe('a contact', () => {
  it('has one session, whichever of its two ids is used', async () => {
    expect(await say(ann, bob, 'by number')).toBe('by number')
    expect(await say(bob, ann, 'by LID', { to: ann.lid, from: bob.jid })).toBe('by LID')
    expect(await say(ann, bob, 'by LID, too', { to: bob.lid, from: ann.jid })).toBe('by LID, too')
    expect(ann.state.read('session', '94770000002.0')).toBeUndefined()
    expect(sessions(ann.state.read('session', '222_1.0'))).toBe(1)
  })

  it('has a session to write to as long as one is open', async () => {
    const exists = async () => (await ann.repository.validateSession(bob.jid)).exists
    expect(await exists()).toBe(true)
    expect((await ann.repository.validateSession('94770000009@s.whatsapp.net')).exists).toBe(false)
    ann.renewals.receipt({ tag: 'receipt', attrs: { type: 'retry', from: bob.jid } })
    await ann.repository.injectE2ESession({ jid: bob.jid, session: bob.bundle() })
    const record = ann.state.read('session', '222_1.0') as {
      _sessions: Record<string, { indexInfo: { closed: number } }>
    }
    const closedAt = () => Object.values(record._sessions).map(({ indexInfo }) => indexInfo.closed)
    expect(closedAt().sort((a, b) => a - b)).toEqual([-1, expect.any(Number)])
    expect(await exists()).toBe(true)
    for (const { indexInfo } of Object.values(record._sessions)) indexInfo.closed = 1_700_000_000_000
    ann.state.apply([{ type: 'session', id: '222_1.0', value: record }])
    expect(await exists()).toBe(false)
    expect(await ann.repository.getSessionInfo(bob.jid)).toBeNull()
  })

  it('is written to and heard from at the same time without losing a step', async () => {
    await say(ann, bob, 'hello')
    await say(bob, ann, 'hello')
    for (let round = 0; round < 10; round += 1) {
      const both = [
        ...Array.from({ length: 5 }, (_, n) => say(ann, bob, `a${round}.${n}`, n % 2 ? { to: bob.lid } : {})),
        ...Array.from({ length: 5 }, (_, n) => say(bob, ann, `b${round}.${n}`, n % 2 ? { from: bob.jid } : {})),
      ]
      expect((await Promise.all(both)).length).toBe(10)
    }
  })

  it('loses the one-time prekey it was reached by', async () => {
    await say(ann, bob, 'first')
    expect(bob.state.read('pre-key', '1')).toBeUndefined()
  })

  it('moves from its number to its LID with its session', async () => {
    const carl = await party('94770000003', '333')
    await ann.repository.injectE2ESession({ jid: carl.jid, session: carl.bundle() })
    expect(ann.state.read('session', '94770000003.0')).toBeDefined()
    knows(ann, carl)
    expect(await ann.repository.migrateSession(carl.jid, carl.lid)).toMatchObject({ migrated: 1 })
    expect(ann.state.read('session', '94770000003.0')).toBeUndefined()
    expect(await say(ann, carl, 'still the same', { from: ann.jid })).toBe('still the same')
  })
})

describe('another bundle', () => {
  it('of the same installation changes nothing', async () => {
    await say(ann, bob, 'hello')
    const before = ann.state.read('session', '222_1.0')
    await ann.repository.injectE2ESession({ jid: bob.lid, session: bob.bundle() })
    expect(ann.state.read('session', '222_1.0')).toEqual(before)
  })

  it('opens a new session where the contact asked for the message again', async () => {
    await say(ann, bob, 'hello')
    const retry: BinaryNode = { tag: 'receipt', attrs: { id: 'A', from: bob.jid, type: 'retry' } }
    ann.renewals.receipt(retry)
    await ann.repository.injectE2ESession({ jid: bob.lid, session: { ...bob.bundle(), preKey: undefined! } })
    expect(sessions(ann.state.read('session', '222_1.0'))).toBe(2)
    await ann.repository.injectE2ESession({ jid: bob.lid, session: { ...bob.bundle(), preKey: undefined! } })
    expect(sessions(ann.state.read('session', '222_1.0'))).toBe(2)
  })

  it('opens a new session where the contact has a new identity', async () => {
    const reinstalled = await party('94770000002', '222')
    knows(reinstalled, ann)
    await ann.repository.injectE2ESession({ jid: bob.lid, session: reinstalled.bundle() })
    expect(await say(ann, reinstalled, 'hello again')).toBe('hello again')
  })
})

describe('a ciphertext', () => {
  const stanza = (content: Uint8Array): BinaryNode => ({
    tag: 'message',
    attrs: { id: 'A', from: ann.lid, t: '1' },
    content: [{ tag: 'enc', attrs: {}, content }],
  })

  it('that comes again is answered with its plaintext, though its key is used up', async () => {
    const sealed = await ann.repository.encryptMessage({ jid: bob.jid, data: Buffer.from('once') })
    for (let delivery = 0; delivery < 3; delivery += 1) {
      bob.inbox.arrived(stanza(sealed.ciphertext))
      const opened = await bob.repository.decryptMessage({ jid: ann.lid, ...sealed })
      expect(Buffer.from(opened).toString()).toBe('once')
    }
    bob.inbox.receiptAcknowledged('A')
    expect(bob.state.inboundHashes()).toEqual([])
    await expect(bob.repository.decryptMessage({ jid: ann.lid, ...sealed })).rejects.toThrow()
  })

  it('that is damaged changes nothing', async () => {
    await say(ann, bob, 'hello')
    await say(bob, ann, 'hello')
    const sealed = await ann.repository.encryptMessage({ jid: bob.jid, data: Buffer.from('intact') })
    const before = bob.state.read('session', '111_1.0')
    const damaged = Uint8Array.from(sealed.ciphertext)
    damaged[damaged.length - 1]! ^= 1
    await expect(
      bob.repository.decryptMessage({ jid: ann.lid, type: sealed.type, ciphertext: damaged }),
    ).rejects.toThrow()
    expect(bob.state.read('session', '111_1.0')).toEqual(before)
    expect(Buffer.from(await bob.repository.decryptMessage({ jid: ann.lid, ...sealed })).toString()).toBe('intact')
  })

  it('of a group opens for who has the sender’s key', async () => {
    const group = '123-456@g.us'
    const sealed = await ann.repository.encryptGroupMessage({ group, meId: ann.lid, data: Buffer.from('to all') })
    await bob.repository.processSenderKeyDistributionMessage({
      authorJid: ann.lid,
      item: { groupId: group, axolotlSenderKeyDistributionMessage: sealed.senderKeyDistributionMessage },
    })
    const opened = await bob.repository.decryptGroupMessage({ group, authorJid: ann.lid, msg: sealed.ciphertext })
    expect(Buffer.from(opened).toString()).toBe('to all')
    expect(await ann.repository.hasSenderKey({ group, meId: ann.lid })).toBe(true)
    const next = await ann.repository.encryptGroupMessage({ group, meId: ann.lid, data: Buffer.from('again') })
    const again = await bob.repository.decryptGroupMessage({ group, authorJid: ann.lid, msg: next.ciphertext })
    expect(Buffer.from(again).toString()).toBe('again')
  })
})

it('records are those that Baileys’ own repository reads and writes', async () => {
  await say(ann, bob, 'ours')
  const own = (one: Party): SignalRepositoryWithLIDStore =>
    DEFAULT_CONNECTION_CONFIG.makeSignalRepository(
      {
        creds: baileysCreds(one.state.creds),
        keys: addTransactionCapability(signalKeyStore(one.state, processClock), logger, transactions),
      },
      logger,
      async () => [],
    )
  const sealed = await own(ann).encryptMessage({ jid: bob.lid, data: Buffer.from('theirs') })
  expect(Buffer.from(await own(bob).decryptMessage({ jid: ann.lid, ...sealed })).toString()).toBe('theirs')
  expect(await say(bob, ann, 'ours again')).toBe('ours again')
})
