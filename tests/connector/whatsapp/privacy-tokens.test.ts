import type { BinaryNode, SignalDataTypeMap } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import { authStates } from '../../../connector/auth/auth-states.ts'
import { processClock, processRandom } from '../../../connector/process-clock.ts'
import { newIdentity } from '../../../connector/whatsapp/identity.ts'
import { signalKeyStore } from '../../../connector/whatsapp/key-store.ts'
import { PrivacyTokens, type TokenGiving } from '../../../connector/whatsapp/privacy-tokens.ts'
import { type SendTry, sendScope } from '../../../connector/whatsapp/send-scope.ts'
import { AuthTables, modelAuthStore } from '../../simulation/models/auth.ts'
import { rest, VirtualClock } from '../virtual-clock.ts'
import { Device, holdingOf, silentLog, World } from './device.ts'

const jidOf = (n: number): string => `9477500000${n}@s.whatsapp.net`
const secondsOf = (clock: VirtualClock): number => Math.floor(clock.now() / 1_000)
const tokenOf = (text: string): Buffer => Buffer.from(text)

async function stateOf(): Promise<ConnectionAuthState> {
  const store = modelAuthStore(new AuthTables())
  const states = authStates({ store, clock: processClock, random: processRandom, log: silentLog, newIdentity })
  const created = await states.create({ businessProfileId: 'bp', connectionId: 'con' }, holdingOf(1))
  if (created.kind !== 'created' || !(created.state instanceof ConnectionAuthState)) throw new Error('not created')
  return created.state
}

async function bench(
  answer: (jids: readonly string[]) => Promise<BinaryNode> = async () => ({ tag: 'iq', attrs: {} }),
) {
  const clock = new VirtualClock()
  const keys = signalKeyStore(await stateOf(), clock)
  const asked: (readonly string[])[] = []
  const giving = {
    issuePrivacyTokens: (jids: string[]) => {
      asked.push(jids)
      return answer(jids)
    },
    serverProps: { lidTrustedTokenIssueToLid: false },
    signalRepository: { lidMapping: { getLIDForPN: async () => null, getPNForLID: async () => null } },
    authState: { keys },
  } as unknown as TokenGiving
  const tokens = new PrivacyTokens({ giving, clock, log: silentLog })
  const kept = async (jid: string) => (await keys.get('tctoken', [jid]))[jid]
  /** What a send to that contact finds, and whether it is to be given a token. */
  const send = (jid: string) => {
    const tried: SendTry = { whatsappId: 'x', givenUp: false, encrypted: true }
    return sendScope.run(tried, async () => ({ found: (await keys.get('tctoken', [jid]))[jid], due: tried.tokenDue }))
  }
  return { clock, keys, tokens, asked, kept, send }
}

describe('privacy tokens', () => {
  test('of contacts who are written to within a moment are given in one request, and noted', async () => {
    const { clock, tokens, asked, kept, send } = await bench()
    for (const n of [1, 2, 1, 3]) tokens.due(jidOf(n))
    await clock.passTime(1_900)
    expect(asked).toEqual([])
    await clock.passTime(200)
    expect(asked).toEqual([[jidOf(1), jidOf(2), jidOf(3)]])
    expect(await kept(jidOf(2))).toMatchObject({ senderTimestamp: expect.any(Number) })
    expect((await send(jidOf(2))).due).toBeUndefined()
    expect((await send(jidOf(2))).found).toEqual(await kept(jidOf(2)))
    expect((await send(jidOf(4))).due).toBe(jidOf(4))
    expect(clock.timers).toBe(0)
    await clock.passTime(7 * 24 * 3_600_000)
    expect((await send(jidOf(2))).due).toBe(jidOf(2))
  })

  test('go to thirty contacts at a time', async () => {
    const { clock, tokens, asked } = await bench()
    for (let n = 0; n < 40; n++) tokens.due(jidOf(n))
    await clock.passTime(10_000)
    expect(asked.map(({ length }) => length)).toEqual([30, 10])
  })

  test('that could not be given are due with the next message, and so are those of a socket that ended', async () => {
    const { clock, tokens, asked, kept, send } = await bench(() => Promise.reject(new Error('no answer')))
    tokens.due(jidOf(1))
    await clock.passTime(3_000)
    expect(asked).toHaveLength(1)
    expect(await kept(jidOf(1))).toBeUndefined()
    expect((await send(jidOf(1))).due).toBe(jidOf(1))
    tokens.due(jidOf(2))
    tokens.stop()
    tokens.due(jidOf(3))
    await clock.passTime(3_000)
    expect(asked).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })

  test('that contacts give in return are kept by who gave them', async () => {
    const back = (jid: string, text: string): BinaryNode => ({
      tag: 'token',
      attrs: { jid, type: 'trusted_contact', t: '1700000000' },
      content: tokenOf(text),
    })
    const { clock, tokens, kept } = await bench(async () => ({
      tag: 'iq',
      attrs: {},
      content: [{ tag: 'tokens', attrs: {}, content: [back(jidOf(2), 'two'), back('1@s.whatsapp.net', 'stranger')] }],
    }))
    tokens.due(jidOf(1))
    tokens.due(jidOf(2))
    await clock.passTime(3_000)
    await rest()
    expect((await kept(jidOf(2)))?.token).toEqual(tokenOf('two'))
    expect((await kept(jidOf(1)))?.token).toHaveLength(0)
    expect(await kept('1@s.whatsapp.net')).toBeUndefined()
  })

  test('go to persons only', async () => {
    const { clock, tokens, asked } = await bench()
    for (const jid of ['0@c.us', '13135550002@c.us', '867051314767696@bot']) tokens.due(jid)
    await clock.passTime(3_000)
    expect(asked).toEqual([])
  })
})

describe('a send', () => {
  test("finds a contact's token, and nothing that Baileys would have to give", async () => {
    const { clock, keys, send } = await bench()
    expect(await send(jidOf(1))).toEqual({
      found: { token: Buffer.alloc(0), senderTimestamp: secondsOf(clock) },
      due: jidOf(1),
    })
    const kept = { token: tokenOf('theirs'), timestamp: '1700000000' }
    await keys.set({ tctoken: { [jidOf(2)]: kept } })
    expect(await send(jidOf(2))).toEqual({ found: { ...kept, senderTimestamp: secondsOf(clock) }, due: jidOf(2) })
    expect((await keys.get('tctoken', [jidOf(2)]))[jidOf(2)]).toEqual(kept)
  })

  test('that drops a token which has expired does not note that ours was given', async () => {
    const { keys, send } = await bench()
    const old = { token: tokenOf('theirs'), timestamp: '1600000000' }
    const drop = async (senderTimestamp?: number): Promise<SignalDataTypeMap['tctoken'] | undefined> => {
      await keys.set({ tctoken: { [jidOf(1)]: { ...old, ...(senderTimestamp !== undefined && { senderTimestamp }) } } })
      const { found } = await send(jidOf(1))
      const tried: SendTry = { whatsappId: 'x', givenUp: false, encrypted: true }
      const cleared = {
        token: Buffer.alloc(0),
        ...(found?.senderTimestamp !== undefined && { senderTimestamp: found.senderTimestamp }),
      }
      await sendScope.run(tried, async () => keys.set({ tctoken: { [jidOf(1)]: cleared } }))
      return (await keys.get('tctoken', [jidOf(1)]))[jidOf(1)]
    }
    expect(await drop()).toEqual({ token: Buffer.alloc(0) })
    expect(await drop(1_600_000_000)).toEqual({ token: Buffer.alloc(0), senderTimestamp: 1_600_000_000 })
  })
})

describe('at WhatsApp', () => {
  let world: World
  beforeAll(async () => {
    world = await World.start()
  })
  afterAll(() => world.stop())

  interface Given {
    readonly tokenRequests: number
    readonly tokensGiven: number
  }
  /** Resolves once so many contacts were given one. */
  async function given(count: number): Promise<Given> {
    for (;;) {
      const { tokenRequests, tokensGiven } = await world.control<Given>('GET', '/stats')
      if (tokensGiven >= count) return { tokenRequests, tokensGiven }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  test('each contact is told once, however many messages it gets, over the next socket as well', async () => {
    const contacts = ['94775100001', '94775100002', '94775100003', '94775100004'] as const
    for (const contact of contacts) await world.phone(contact)
    const device = await Device.linked(world, '94775100011')
    let sent = 0
    const send = (contact: string) =>
      device.send(`3EB00000000000000051${String(sent++).padStart(2, '0')}`, contact, 'hello')
    const firsts = contacts.slice(0, 3)
    for (const contact of [...firsts, ...firsts]) expect(await send(contact)).toEqual({ kind: 'handed_over' })
    expect(await given(3)).toEqual({ tokenRequests: 1, tokensGiven: 3 })
    await device.socket.close()
    await device.open()
    for (const contact of contacts) expect(await send(contact)).toEqual({ kind: 'handed_over' })
    expect(await given(4)).toEqual({ tokenRequests: 2, tokensGiven: 4 })
    await device.socket.close()
  })
})
