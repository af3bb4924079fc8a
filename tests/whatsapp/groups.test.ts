import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GroupMetadata } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const CAROL = '15550100003'
const DAVE = '15550100004'
const PEOPLE = [ALICE, BOB, CAROL, DAVE]
const jid = (number: string) => `${number}@s.whatsapp.net`

interface GroupView {
  id: string
  subject: string
  inviteCode: string
  participants: { phoneNumber: string; role: string }[]
}

let simulation: Simulation
let alice: Client
let bob: Client
let lids: Record<string, string>

beforeAll(async () => {
  simulation = await Simulation.start()
  lids = {}
  for (const number of PEOPLE) {
    await simulation.phone(number, { name: `phone of ${number}` })
    lids[number] = `${(await simulation.call<{ lid: string }>('GET', `/phones/${number}`)).body.lid}@lid`
  }
  alice = await simulation.linked(ALICE)
  bob = await simulation.linked(BOB)
})

afterAll(() => simulation.close())

async function groupView(id: string): Promise<GroupView> {
  return (await simulation.call<GroupView>('GET', `/groups/${id}`)).body
}

async function members(id: string): Promise<Record<string, string>> {
  return Object.fromEntries((await groupView(id)).participants.map(({ phoneNumber, role }) => [phoneNumber, role]))
}

async function newGroup(addressingMode = 'lid'): Promise<string> {
  const participants = [BOB, CAROL]
  const { status, body } = await simulation.call<GroupView>('POST', '/groups', {
    by: ALICE,
    subject: 'test',
    participants,
    addressingMode,
  })
  expect(status).toBe(201)
  return body.id
}

/** Stub types of what Baileys makes of notices in a group, with their parameters. */
function notices(client: Client, group: string): string[] {
  return client.received
    .filter(({ key, messageStubType }) => key.remoteJid === group && messageStubType)
    .map(({ messageStubType }) => String(messageStubType))
}

async function inGroup(number: string, text: string) {
  for (let count = 1; ; count++) {
    const { messages } = await simulation.inbox(number, count)
    const found = messages.find((each) => each.text === text)
    if (found) return found
    if (messages.length < count) throw new Error(`${number} does not show "${text}"`)
  }
}

describe('managing a group', () => {
  test('create, and both see it: who made it, who is in it under number and LID', async () => {
    const heard = new Promise<GroupMetadata[]>((resolve) => bob.socket.ev.on('groups.upsert', resolve))
    const made = await alice.socket.groupCreate('lunch', [jid(BOB), lids[CAROL] ?? ''])
    expect(made).toMatchObject({
      subject: 'lunch',
      addressingMode: 'lid',
      owner: lids[ALICE],
      ownerPn: jid(ALICE),
      size: 3,
    })
    expect(made.participants.map(({ id, phoneNumber, admin }) => [id, phoneNumber, admin])).toEqual([
      [lids[ALICE], jid(ALICE), 'superadmin'],
      [lids[BOB], jid(BOB), null],
      [lids[CAROL], jid(CAROL), null],
    ])
    expect((await heard)[0]).toMatchObject({ id: made.id, subject: 'lunch', author: lids[ALICE] })
    expect(Object.keys(await bob.socket.groupFetchAllParticipating())).toContain(made.id)
    expect(await bob.socket.groupMetadata(made.id)).toMatchObject({ subject: 'lunch', size: 3 })
  })

  test('participants are added, promoted, demoted and removed, each with an answer of its own', async () => {
    const id = await newGroup()
    const change = (action: 'add' | 'remove' | 'promote' | 'demote', ...numbers: string[]) =>
      alice.socket.groupParticipantsUpdate(id, numbers.map(jid), action).then((all) => all.map(({ status }) => status))
    expect(await change('add', DAVE, BOB, '15550109999')).toEqual(['200', '409', '404'])
    await simulation.phone('15550100005')
    await simulation.call('PATCH', '/phones/15550100005/profile', { privacy: { groupadd: 'none' } })
    expect(await change('add', '15550100005')).toEqual(['403'])
    expect(await change('promote', BOB)).toEqual(['200'])
    expect(await members(id)).toEqual({ [ALICE]: 'superadmin', [BOB]: 'admin', [CAROL]: 'member', [DAVE]: 'member' })
    expect(await change('demote', BOB)).toEqual(['200'])
    expect(await change('remove', CAROL, ALICE)).toEqual(['200', '406'])
    expect(await members(id)).toEqual({ [ALICE]: 'superadmin', [BOB]: 'member', [DAVE]: 'member' })
    await bob.until('all notices', () => notices(bob, id).length === 5)
    await expect(bob.socket.groupParticipantsUpdate(id, [jid(DAVE)], 'remove')).rejects.toThrow('not-authorized')
  })

  test('subject, description, settings and picture change for all members', async () => {
    const id = await newGroup()
    await alice.socket.groupUpdateSubject(id, 'renamed')
    await alice.socket.groupUpdateDescription(id, 'what this is about')
    for (const setting of ['announcement', 'locked'] as const) await alice.socket.groupSettingUpdate(id, setting)
    await alice.socket.groupToggleEphemeral(id, 86_400)
    await alice.socket.groupMemberAddMode(id, 'admin_add')
    await alice.socket.groupJoinApprovalMode(id, 'on')
    expect(await bob.socket.groupMetadata(id)).toMatchObject({
      subject: 'renamed',
      desc: 'what this is about',
      descOwner: lids[ALICE],
      announce: true,
      restrict: true,
      ephemeralDuration: 86_400,
      memberAddMode: false,
      joinApprovalMode: true,
    })
    await expect(bob.socket.groupUpdateSubject(id, 'mine')).rejects.toThrow('not-authorized')
    await alice.socket.groupUpdateDescription(id)
    await alice.socket.groupSettingUpdate(id, 'not_announcement')
    expect(await bob.socket.groupMetadata(id)).toMatchObject({ desc: undefined, announce: false })

    await expect(alice.socket.profilePictureUrl(id)).rejects.toThrow('item-not-found')
    const picture = Buffer.from('a picture')
    await simulation.call('POST', `/groups/${id}/picture`, { by: ALICE, picture: picture.toString('base64') })
    const url = (await bob.socket.profilePictureUrl(id)) ?? ''
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(picture)).toBe(true)
    await alice.socket.removeProfilePicture(id)
    await expect(alice.socket.profilePictureUrl(id)).rejects.toThrow('item-not-found')
  })

  test('an invite lets others in until it is revoked; with approval they ask first', async () => {
    const id = await newGroup()
    const code = (await alice.socket.groupInviteCode(id)) ?? ''
    await expect(bob.socket.groupInviteCode(id)).rejects.toThrow('not-authorized')
    expect(await bob.socket.groupGetInviteInfo(code)).toMatchObject({ id, subject: 'test' })
    await simulation.call('POST', '/groups/join', { by: DAVE, code })
    expect(await members(id)).toMatchObject({ [DAVE]: 'member' })
    const next = await alice.socket.groupRevokeInvite(id)
    expect(await simulation.call('POST', '/groups/join', { by: DAVE, code })).toMatchObject({ status: 406 })

    await bob.socket.groupLeave(id)
    expect(await members(id)).not.toHaveProperty(BOB)
    await expect(bob.socket.groupMetadata(id)).rejects.toThrow('forbidden')
    expect(await bob.socket.groupAcceptInvite(next ?? '')).toBe(id)
    await bob.socket.groupLeave(id)
    await alice.socket.groupJoinApprovalMode(id, 'on')
    await bob.socket.groupAcceptInvite(next ?? '')
    expect(await alice.socket.groupRequestParticipantsList(id)).toMatchObject([{ jid: lids[BOB] }])
    expect(await alice.socket.groupRequestParticipantsUpdate(id, [lids[BOB] ?? ''], 'approve')).toEqual([
      { status: '200', jid: lids[BOB] },
    ])
    expect(await members(id)).toMatchObject({ [BOB]: 'member' })
  })
})

describe.each(['lid', 'pn'])('messages in a group addressed by %s', (mode) => {
  let id: string
  const address = (number: string) => (mode === 'lid' ? lids[number] : jid(number))

  beforeAll(async () => {
    id = await newGroup(mode)
    await bob.until('the notice of the group', () => notices(bob, id).length === 1)
  })

  beforeEach(async () => {
    for (const number of PEOPLE) await simulation.call('DELETE', `/phones/${number}/inbox`)
    await simulation.call('POST', '/stats/reset')
  })

  test('from a device they reach all members under its sender key, and receipts name who they are from', async () => {
    const acked: Record<string, string>[] = []
    const note = ({ attrs }: { attrs: Record<string, string> }) => acked.push(attrs)
    alice.socket.ws.on('CB:ack,class:message', note)
    for (const text of [`one ${mode}`, `two ${mode}`]) {
      const sent = await alice.socket.sendMessage(id, { text })
      const messageId = sent?.key.id ?? ''
      for (const number of [BOB, CAROL]) {
        expect(await inGroup(number, text)).toMatchObject({ id: messageId, group: id, from: ALICE, device: 1 })
      }
      const received = await bob.text(text)
      expect(received.key).toMatchObject({ remoteJid: id, participant: address(ALICE), fromMe: false })
      await alice.until('receipts of three devices', () => alice.participantReceipts(messageId).length === 5)
      expect(new Set(alice.participantReceipts(messageId))).toEqual(
        new Set([
          `delivered ${address(CAROL)}`,
          `read ${address(CAROL)}`,
          `delivered ${address(BOB)}`,
          `read ${address(BOB)}`,
          `delivered ${address(BOB)?.replace('@', ':1@')}`,
        ]),
      )
    }
    alice.socket.ws.off('CB:ack,class:message', note)
    expect(acked).toHaveLength(2)
    expect(acked[0]).toMatchObject({ from: id, phash: expect.stringMatching(/^2:/), t: expect.any(String) })
    expect(acked[0]?.phash).toBe(acked[1]?.phash)
    expect(await simulation.stats()).toMatchObject({ decryptFailures: 0, undecryptable: 0 })
  })

  test('from a phone they reach all devices; reactions, quotes and mentions use the addresses of the group', async () => {
    const first = await simulation.sendMessage(CAROL, { to: id, text: `from a phone ${mode}` })
    expect((await alice.message(first.id)).key).toMatchObject({ remoteJid: id, participant: address(CAROL) })
    await bob.message(first.id)
    await inGroup(BOB, `from a phone ${mode}`)
    const reply = await simulation.sendMessage(BOB, { to: id, text: 'reply', quote: first.id, mentions: [ALICE] })
    const { extendedTextMessage } = (await alice.message(reply.id)).message ?? {}
    expect(extendedTextMessage?.contextInfo).toMatchObject({
      stanzaId: first.id,
      participant: address(CAROL),
      mentionedJid: [address(ALICE)],
    })
    const reaction = await simulation.sendMessage(BOB, { to: id, kind: 'reaction', of: first.id, text: '👍' })
    expect((await alice.message(reaction.id)).message?.reactionMessage?.key).toMatchObject({
      id: first.id,
      participant: address(CAROL),
    })
    await alice.socket.readMessages([(await alice.message(first.id)).key])
    await alice.ping()
    const { body } = await simulation.call<{ messages: { id: string; receipts: object }[] }>(
      'GET',
      `/phones/${CAROL}/sent`,
    )
    expect(body.messages.find((each) => each.id === first.id)?.receipts).toMatchObject({
      [`${ALICE}:1`]: { delivered: expect.any(String), read: expect.any(String) },
      [`${BOB}:0`]: { delivered: expect.any(String), read: expect.any(String) },
    })
  })

  test('a phone that lost its sender keys asks again, and the message comes in its own session', async () => {
    await alice.socket.sendMessage(id, { text: 'before' })
    await inGroup(CAROL, 'before')
    await simulation.call('DELETE', `/phones/${CAROL}/sessions/${id}`)
    const sent = await alice.sendToGroup(id, 'after')
    expect(await inGroup(CAROL, 'after')).toMatchObject({ id: sent, group: id })
    expect(await simulation.stats()).toMatchObject({ decryptFailures: 1, undecryptable: 0, resendsRequested: 1 })
  })

  test('a device that lost its sender keys asks again, and the phone answers it alone', async () => {
    const first = await simulation.sendMessage(CAROL, { to: id, text: 'before' })
    await Promise.all([alice.message(first.id), bob.message(first.id)])
    for (const key of [...bob.auth.keys.keys()]) if (key.startsWith('sender-key ')) bob.auth.keys.delete(key)
    const second = await simulation.sendMessage(CAROL, { to: id, text: 'after' })
    const read = await bob.until('the message', () =>
      bob.received.find(({ key, message }) => key.id === second.id && message?.conversation),
    )
    expect(read.message?.conversation).toBe('after')
    expect(alice.received.filter(({ key }) => key.id === second.id)).toHaveLength(1)
  })

  test('who is not in the group, or may not write there, is refused; who was removed reads no more', async () => {
    await simulation.call('POST', `/groups/${id}/changes`, { by: ALICE, change: { kind: 'announcement', on: true } })
    const silenced = await bob.socket.sendMessage(id, { text: 'silenced' })
    expect(await bob.acknowledged(silenced?.key.id ?? '')).toEqual({ error: '420' })
    await simulation.call('POST', `/groups/${id}/changes`, { by: ALICE, change: { kind: 'announcement', on: false } })
    const before = await simulation.sendMessage(CAROL, { to: id, text: 'all of us' })
    await bob.message(before.id)
    await simulation.call('POST', `/groups/${id}/changes`, {
      by: ALICE,
      change: { kind: 'remove', participants: [BOB] },
    })
    const after = await simulation.sendMessage(CAROL, { to: id, text: 'without Bob' })
    await alice.message(after.id)
    await bob.ping()
    expect(bob.received.some(({ key }) => key.id === after.id)).toBe(false)
  })
})

test('groups and their keys survive a restart of the server', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'whatsapp-simulator-'))
  const before = await Simulation.start({ stateDir })
  for (const number of [ALICE, BOB]) await before.phone(number)
  const client = await before.linked(ALICE)
  const { body } = await before.call<GroupView>('POST', '/groups', { by: BOB, subject: 'kept', participants: [ALICE] })
  await before.sendMessage(BOB, { to: body.id, text: 'before' })
  await client.text('before')
  await client.socket.sendMessage(body.id, { text: 'hello' })
  await before.inbox(BOB, 1)
  await client.stop()
  await before.close()

  const after = await Simulation.start({ stateDir })
  const again = after.track(client.again(after.server.url))
  await after.sendMessage(BOB, { to: body.id, text: 'after' })
  await again.text('after')
  await again.socket.sendMessage(body.id, { text: 'still in the same session' })
  expect((await after.inbox(BOB, 2)).messages[1]).toMatchObject({ text: 'still in the same session', group: body.id })
  expect(await after.stats()).toMatchObject({ decryptFailures: 0 })
  await after.close()
  await rm(stateDir, { recursive: true })
})
