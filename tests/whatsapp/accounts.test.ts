import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Client, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const CAROL = '15550100003'
const NOBODY = '15550109999'
const jid = (number: string) => `${number}@s.whatsapp.net`

/** One red pixel; Baileys makes a JPEG of it. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
  'base64',
)

let simulation: Simulation
let alice: Client
let bobLid: string

beforeAll(async () => {
  simulation = await Simulation.start()
  for (const number of [ALICE, BOB, CAROL]) await simulation.phone(number)
  bobLid = `${(await simulation.call<{ lid: string }>('GET', `/phones/${BOB}`)).body.lid}@lid`
  alice = await simulation.linked(ALICE)
})

afterAll(() => simulation.close())

const profile = (number: string, change: Record<string, unknown>) =>
  simulation.call('PATCH', `/phones/${number}/profile`, change)

describe('accounts', () => {
  test('numbers that are on WhatsApp are told from those that are not', async () => {
    const found = await alice.socket.onWhatsApp(`+${BOB}`, NOBODY, jid(CAROL))
    expect(found).toEqual([
      { jid: jid(BOB), exists: true },
      { jid: jid(CAROL), exists: true },
    ])
  })

  test('about and disappearing default are set by the device and read by others, unless hidden', async () => {
    await profile(BOB, { about: 'At work', disappearingSeconds: 86_400 })
    expect(await alice.socket.fetchStatus(jid(BOB))).toMatchObject([{ id: jid(BOB), status: { status: 'At work' } }])
    expect(await alice.socket.fetchDisappearingDuration(jid(BOB))).toMatchObject([
      { disappearing_mode: { duration: 86_400 } },
    ])
    await profile(BOB, { privacy: { status: 'none' } })
    expect(await alice.socket.fetchStatus(jid(BOB))).toMatchObject([{ status: { status: '' } }])
    await alice.socket.updateProfileStatus('Available')
    await alice.socket.updateDefaultDisappearingMode(604_800)
    expect((await simulation.call('GET', `/phones/${ALICE}/profile`)).body).toMatchObject({
      about: 'Available',
      disappearingSeconds: 604_800,
    })
  })

  test('privacy is kept', async () => {
    await alice.socket.updateReadReceiptsPrivacy('none')
    expect(await alice.socket.fetchPrivacySettings(true)).toMatchObject({ readreceipts: 'none', last: 'all' })
    await alice.socket.updateReadReceiptsPrivacy('all')
  })

  test('a profile picture is set, told to who wrote with the number, downloaded and removed', async () => {
    await simulation.send(BOB, ALICE, 'so that both know each other')
    await alice.text('so that both know each other')
    await expect(alice.socket.profilePictureUrl(jid(BOB))).rejects.toThrow('item-not-found')
    const picture = Buffer.from('a face')
    const told = new Promise((resolve) => alice.socket.ev.on('contacts.update', ([first]) => resolve(first)))
    await profile(BOB, { picture: picture.toString('base64') })
    expect(await told).toMatchObject({ id: jid(BOB), imgUrl: 'changed' })
    const url = (await alice.socket.profilePictureUrl(jid(BOB), 'image')) ?? ''
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(picture)).toBe(true)
    await profile(BOB, { privacy: { profile: 'none' } })
    await expect(alice.socket.profilePictureUrl(bobLid)).rejects.toThrow('not-authorized')
    await profile(BOB, { privacy: { profile: 'all' }, picture: null })
    await expect(alice.socket.profilePictureUrl(bobLid)).rejects.toThrow('item-not-found')
  })

  test('a device sets and removes its own picture and that of a group', async () => {
    const { body } = await simulation.call<{ id: string }>('POST', '/groups', {
      by: ALICE,
      subject: 'us',
      participants: [BOB],
    })
    for (const of of [jid(ALICE), body.id]) {
      await alice.socket.updateProfilePicture(of, PNG)
      const response = await fetch((await alice.socket.profilePictureUrl(of)) ?? '')
      expect([...new Uint8Array(await response.arrayBuffer()).subarray(0, 2)]).toEqual([0xff, 0xd8])
      await alice.socket.removeProfilePicture(of)
      await expect(alice.socket.profilePictureUrl(of)).rejects.toThrow('item-not-found')
    }
  })

  test('who is blocked writes into the void until the block is lifted', async () => {
    await alice.sendText(BOB, 'so that its LID is known')
    await alice.socket.updateBlockStatus(jid(BOB), 'block')
    expect(await alice.socket.fetchBlocklist()).toEqual([bobLid])
    await simulation.send(BOB, ALICE, 'unheard')
    await alice.socket.updateBlockStatus(jid(BOB), 'unblock')
    expect(await alice.socket.fetchBlocklist()).toEqual([])
    await simulation.send(BOB, ALICE, 'heard')
    await alice.text('heard')
    expect(alice.texts).not.toContain('unheard')
  })
})

describe('faults on single messages and queries', () => {
  afterEach(async () => {
    await simulation.call('DELETE', '/faults')
  })

  test('acks are refused by id, by the beginning of ids, and by chat', async () => {
    const target = { phoneNumber: ALICE }
    await simulation.fault({ kind: 'error-acks', errorCode: 479, target, messages: { id: '3EB0BAD*' } })
    await simulation.fault({ kind: 'error-acks', errorCode: 429, target, messages: { to: `+${CAROL}` }, count: 1 })
    expect(await alice.acknowledged(await alice.sendText(BOB, 'good', '3EB0600D'))).toEqual({ error: undefined })
    expect(await alice.acknowledged(await alice.sendText(BOB, 'bad', '3EB0BAD1'))).toEqual({ error: '479' })
    expect(await alice.acknowledged(await alice.sendText(CAROL, 'too fast', '3EB0C1'))).toEqual({ error: '429' })
    expect(await alice.acknowledged(await alice.sendText(CAROL, 'slower', '3EB0C2'))).toEqual({ error: undefined })
  })

  test('a reach-out lock refuses new chats alone, and tells its end', async () => {
    const [known, stranger] = ['15550100011', '15550100012']
    for (const number of [known, stranger]) await simulation.phone(number)
    await simulation.send(known, ALICE, 'they wrote first')
    await alice.text('they wrote first')
    const until = '2099-01-02T03:04:05.000Z'
    const lock = { kind: 'error-acks', errorCode: 463, until, messages: { newChatsOnly: true } }
    await simulation.fault({ ...lock, target: { phoneNumber: ALICE } })
    expect(await alice.acknowledged(await alice.sendText(known, 'answer'))).toEqual({ error: undefined })
    expect(await alice.acknowledged(await alice.sendText(stranger, 'who are you?'))).toEqual({ error: '463' })
    expect((await simulation.inbox(stranger)).messages).toEqual([])
    expect(await alice.socket.fetchAccountReachoutTimelock()).toMatchObject({
      isActive: true,
      timeEnforcementEnds: new Date(until),
    })
  })

  test('queries are refused by namespace, or never answered where they name a number', async () => {
    const refusal = { kind: 'refuse-queries', xmlns: 'w:g2', count: 1, target: { all: true } }
    await simulation.fault(refusal)
    await expect(alice.socket.groupFetchAllParticipating()).rejects.toMatchObject({ data: 429 })
    expect(await alice.socket.groupFetchAllParticipating()).toBeTypeOf('object')

    const slow = '15550100013'
    await simulation.phone(slow)
    const id = await simulation.fault({ kind: 'ignore-queries', xmlns: 'usync', about: slow, target: { all: true } })
    const unanswered = alice.socket.onWhatsApp(slow)
    expect(await alice.socket.onWhatsApp(BOB)).toEqual([{ jid: jid(BOB), exists: true }])
    await simulation.call('DELETE', `/faults/${id}`)
    expect(await alice.socket.onWhatsApp(slow)).toEqual([{ jid: jid(slow), exists: true }])
    unanswered.catch(() => undefined)
  })
})
