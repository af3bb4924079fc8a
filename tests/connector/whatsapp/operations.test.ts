import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Group, OperationKinds, OperationRequest } from '../../../shared/domain/operations.ts'
import { Device, World } from './device.ts'

const business = '94776000001'
const ada = '94776000002'
const bob = '94776000003'
const nobody = '94776000009'
const jid = (number: string) => `${number}@s.whatsapp.net`
/** The first bytes of a JPEG are all that anybody looks at here. */
const jpeg = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(200, 7)]).toString('base64')

let world: World
let device: Device

beforeAll(async () => {
  world = await World.start()
  await world.phone(ada, { name: 'Ada' })
  await world.phone(bob, { name: 'Bob' })
  device = await Device.linked(world, business)
})
afterAll(async () => {
  await device?.socket.close()
  await world?.stop()
})

const ask = (request: OperationRequest) => device.socket.operate?.(request)

async function done<Kind extends OperationRequest['kind']>(
  request: OperationRequest & { readonly kind: Kind },
): Promise<OperationKinds[Kind]['result']> {
  const answer = await ask(request)
  if (answer?.kind !== 'done') throw new Error(`${request.kind}: ${JSON.stringify(answer)}`)
  return answer.result as OperationKinds[Kind]['result']
}

const refused = async (request: OperationRequest) => {
  const answer = await ask(request)
  return answer?.kind === 'failed' ? answer.error : answer
}

const lid = expect.stringMatching(/^\d+@lid$/)

describe('contacts', () => {
  it('numbers are on WhatsApp or not, in the order asked', async () => {
    const { contacts } = await done({ kind: 'check_contacts', phoneNumbers: [`+${nobody}`, `+${bob}`, `+${ada}`] })
    expect(contacts).toEqual([
      { phoneNumber: `+${nobody}`, onWhatsApp: false },
      { phoneNumber: `+${bob}`, onWhatsApp: true, lid },
      { phoneNumber: `+${ada}`, onWhatsApp: true, lid },
    ])
  })

  it('more than one query asks for are all answered', async () => {
    const phoneNumbers = Array.from({ length: 99 }, (_, n) => `+9477700${String(n).padStart(4, '0')}`)
    const { contacts } = await done({ kind: 'check_contacts', phoneNumbers: [...phoneNumbers, `+${ada}`] })
    expect(contacts.map(({ phoneNumber }) => phoneNumber)).toEqual([...phoneNumbers, `+${ada}`])
    expect(contacts.filter(({ onWhatsApp }) => onWhatsApp)).toHaveLength(1)
  })

  it('a contact shows about and picture, or less where it hides them', async () => {
    await world.control('PATCH', `/phones/${ada}/profile`, { about: 'Tea, please', picture: jpeg })
    expect(await done({ kind: 'get_contact', contact: jid(ada) })).toEqual({
      phoneNumber: `+${ada}`,
      lid,
      about: 'Tea, please',
      aboutSetAt: expect.any(String),
      pictureUrl: expect.stringMatching(/^https?:/),
    })
    await world.control('PATCH', `/phones/${ada}/profile`, { privacy: { status: 'none', profile: 'none' } })
    expect(await done({ kind: 'get_contact', contact: jid(ada) })).toEqual({ phoneNumber: `+${ada}`, lid })
    await world.control('PATCH', `/phones/${ada}/profile`, { privacy: { status: 'all', profile: 'all' } })
    expect(await refused({ kind: 'get_contact', contact: jid(nobody) })).toMatchObject({ code: 'not_on_whatsapp' })
  })

  it('contacts are blocked, listed and unblocked, by number and by LID', async () => {
    expect(await done({ kind: 'block_contact', contact: jid(bob) })).toEqual({
      phoneNumber: `+${bob}`,
      lid,
      blocked: true,
    })
    const { contacts } = await done({ kind: 'list_blocked' })
    expect(contacts).toEqual([{ phoneNumber: `+${bob}`, lid }])
    await done({ kind: 'unblock_contact', contact: contacts[0]?.lid ?? '' })
    expect(await done({ kind: 'list_blocked' })).toEqual({ contacts: [] })
    expect(await refused({ kind: 'block_contact', contact: jid(nobody) })).toMatchObject({ code: 'not_on_whatsapp' })
  })
})

describe('groups', () => {
  let group: Group

  it('a group is created, with those who may be added', async () => {
    await world.control('PATCH', `/phones/${bob}/profile`, { privacy: { groupadd: 'all' } })
    group = await done({
      kind: 'create_group',
      subject: 'Tea',
      description: 'Orders until noon',
      participants: [jid(ada)],
    })
    expect(group).toMatchObject({
      groupId: expect.stringMatching(/@g\.us$/),
      subject: 'Tea',
      description: 'Orders until noon',
      size: 2,
      role: 'owner',
      announce: false,
      locked: false,
      joinApproval: false,
      owner: { phoneNumber: `+${business}`, lid },
      createdAt: expect.stringMatching(/^20/),
    })
    expect(group.participants).toEqual([
      { phoneNumber: `+${business}`, lid, role: 'owner' },
      { phoneNumber: `+${ada}`, lid, role: 'member' },
    ])
    expect(await done({ kind: 'get_group', group: group.groupId })).toEqual(group)
  })

  it('groups are listed without their participants', async () => {
    const { participants: _, ...summary } = group
    expect(await done({ kind: 'list_groups' })).toEqual({ groups: [summary] })
  })

  it('subject, description and settings change, and the group is told as it is now', async () => {
    const changes = { subject: 'Coffee', description: null, announce: true, locked: true }
    const changed = await done({ kind: 'update_group', group: group.groupId, ...changes })
    expect(changed).toMatchObject({ subject: 'Coffee', announce: true, locked: true })
    expect(changed).not.toHaveProperty('description')
    const back = { announce: false, locked: false }
    expect(await done({ kind: 'update_group', group: group.groupId, ...back })).toMatchObject(back)
  })

  it('a picture is set and taken away', async () => {
    const { groupId } = group
    expect(await done({ kind: 'set_group_picture', group: groupId, jpeg })).toEqual({
      groupId,
      pictureUrl: expect.stringMatching(/^https?:/),
    })
    expect(await done({ kind: 'set_group_picture', group: groupId })).toEqual({ groupId })
    expect(await world.control('GET', `/groups/${groupId}`)).not.toHaveProperty('pictureId')
  })

  it('each participant has an outcome', async () => {
    const participants = [jid(ada), jid(bob), jid(nobody)]
    const { groupId } = group
    const added = await done({ kind: 'add_participants', group: groupId, participants })
    expect(added.participants.map(({ outcome }) => outcome)).toEqual(['already', 'done', 'refused'])
    expect(added.participants[1]).toMatchObject({ phoneNumber: `+${bob}`, lid })
    const role = async () =>
      (await done({ kind: 'get_group', group: groupId })).participants.find(
        ({ phoneNumber }) => phoneNumber === `+${bob}`,
      )?.role
    await done({ kind: 'promote_participants', group: groupId, participants: [jid(bob)] })
    expect(await role()).toBe('admin')
    await done({ kind: 'demote_participants', group: groupId, participants: [jid(bob)] })
    expect(await role()).toBe('member')
    const gone = { kind: 'remove_participants', group: groupId, participants: [jid(bob)] } as const
    expect(await done(gone)).toMatchObject({ participants: [{ outcome: 'done' }] })
    expect(await done(gone)).toMatchObject({ participants: [{ outcome: 'already' }] })
  })

  it('an invite link is given, and void once it is revoked', async () => {
    const { groupId } = group
    const invite = await done({ kind: 'get_group_invite', group: groupId })
    expect(invite).toEqual({ code: expect.any(String), url: `https://chat.whatsapp.com/${invite.code}` })
    const fresh = await done({ kind: 'revoke_group_invite', group: groupId })
    expect(fresh.code).not.toBe(invite.code)
    expect(await refused({ kind: 'join_group', code: invite.code })).toMatchObject({ code: 'not_found' })
    expect(await done({ kind: 'join_group', code: fresh.code })).toEqual({ groupId, outcome: 'already' })
  })

  it('a group of somebody else is joined, asked to be joined, and left', async () => {
    const make = () =>
      world.control<{ id: string; inviteCode: string }>('POST', '/groups', {
        by: bob,
        subject: 'Cake',
        participants: [],
      })
    const open = await make()
    expect(await done({ kind: 'join_group', code: open.inviteCode })).toEqual({ groupId: open.id, outcome: 'joined' })
    expect(await refused({ kind: 'get_group_invite', group: open.id })).toMatchObject({
      code: 'forbidden',
      whatsappCode: '401',
    })
    expect(await done({ kind: 'leave_group', group: open.id })).toEqual({ groupId: open.id })
    expect(await done({ kind: 'leave_group', group: open.id })).toEqual({ groupId: open.id })
    expect(await refused({ kind: 'get_group', group: open.id })).toMatchObject({ code: 'forbidden' })
    expect(await refused({ kind: 'get_group', group: '120363999@g.us' })).toMatchObject({ code: 'not_found' })
    const closed = await make()
    const change = { kind: 'joinApproval', on: true }
    await world.control('POST', `/groups/${closed.id}/changes`, { by: bob, change })
    expect(await done({ kind: 'join_group', code: closed.inviteCode })).toEqual({
      groupId: closed.id,
      outcome: 'requested',
    })
  })
})

it('a socket that is closed has not done it; one that ends in between does not know', async () => {
  const other = await Device.linked(world, '94776000004')
  await world.control('POST', '/faults', {
    kind: 'ignore-queries',
    target: { phoneNumber: '94776000004' },
    xmlns: 'w:g2',
  })
  const asked = other.socket.operate?.({ kind: 'list_groups' })
  other.socket.terminate('lease')
  expect(await asked).toMatchObject({ kind: 'unknown' })
  expect(await other.socket.operate?.({ kind: 'list_groups' })).toMatchObject({ kind: 'not_done' })
})
