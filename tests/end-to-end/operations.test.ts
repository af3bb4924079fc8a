import { afterAll, beforeAll, expect, it } from 'vitest'
import { rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

const customer = '+4915112345678'
const nobody = '+4915199999999'
const digits = (phoneNumber: string) => phoneNumber.slice(1)
const waiting = { prefer: 'wait=20' }

let place: RunningPlace
let story: Story
let path: string

beforeAll(async () => {
  place = await startPlace()
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
  path = `/connections/${story.connectionId}`
})
afterAll(async () => {
  story?.close()
  await place?.stop()
})

const completed = (operationId: string) =>
  story.watcher.next(
    'operation-completed',
    ({ event, data }) => event === 'operation-completed' && data.operationId === operationId,
    60_000,
  )
const send = (method: string, to: string, body?: object) =>
  story.tenant.raw(method, path + to, body && JSON.stringify(body), {
    ...waiting,
    ...(body && { 'content-type': 'application/json' }),
  })

it('who is on WhatsApp is answered within the call, and told live', async () => {
  const body = { phoneNumbers: [customer, nobody] }
  const { status, headers, body: operation } = await send('POST', '/contacts/check', body)
  expect([status, operation]).toMatchObject([200, { kind: 'check_contacts', status: 'succeeded' }])
  expect(headers.get('preference-applied')).toBe('wait=20')
  const lid = expect.stringMatching(/@lid$/)
  expect(operation.result.contacts).toEqual([
    { phoneNumber: customer, onWhatsApp: true, lid },
    { phoneNumber: nobody, onWhatsApp: false },
  ])
  expect((await completed(operation.operationId)).data).toEqual(operation)
})

it('who will not wait polls, or is told', async () => {
  const asked = await story.tenant.get(`${path}/contacts/${digits(customer)}`, { prefer: 'respond-async' })
  expect(asked).toMatchObject({ status: 202, body: { kind: 'get_contact', status: 'pending' } })
  const { data } = await completed(asked.body.operationId)
  expect(data).toMatchObject({ status: 'succeeded', result: { phoneNumber: customer } })
  expect(await story.tenant.get(asked.headers.get('location') ?? '')).toMatchObject({ status: 200, body: data })
})

it('a contact that is followed is seen online, typing and away', async () => {
  const { body } = await send('POST', `/contacts/${digits(customer)}/presence`)
  expect(body).toMatchObject({ kind: 'subscribe_presence', status: 'succeeded', result: { phoneNumber: customer } })
  const phone = rest(`${place.simulatorUrl}/phones/${digits(customer)}`)
  const seen = (presence: string) =>
    story.watcher.next(presence, ({ event, data }) => event === 'presence' && data.presence === presence, 60_000)
  await phone.post('/presence', { state: 'available' })
  expect((await seen('available')).data.contact).toMatchObject({ phoneNumber: customer })
  await phone.post('/presence', { state: 'composing', to: '94714515253' })
  await seen('typing')
  await phone.post('/presence', { state: 'unavailable' })
  expect((await seen('unavailable')).data).toMatchObject({ lastSeenAt: expect.any(String) })
})

it('a group is made once for one key, written to, changed, and left', async () => {
  const body = JSON.stringify({ subject: 'Tea', participants: [customer] })
  const headers = { ...waiting, 'idempotency-key': 'group-1', 'content-type': 'application/json' }
  const [created, again] = await Promise.all(
    [1, 2].map(() => story.tenant.raw('POST', `${path}/groups`, body, headers)),
  )
  expect(created).toMatchObject({ status: 200, body: { status: 'succeeded', result: { subject: 'Tea', size: 2 } } })
  expect(again?.body).toEqual(created?.body)
  const { groupId } = created?.body.result ?? {}
  const listed = await send('GET', '/groups')
  expect(listed.body.result.groups.map((group: { groupId: string }) => group.groupId)).toEqual([groupId])

  const text = { to: groupId, type: 'text', text: { body: 'tea?' } }
  expect((await story.tenant.post(`${path}/messages`, text)).status).toBe(202)
  expect((await story.simulatedPhones.inbox(customer, 1)).at(-1)).toMatchObject({ text: 'tea?' })

  expect((await send('PATCH', `/groups/${groupId}`, { subject: 'Coffee', announce: true })).body).toMatchObject({
    result: { subject: 'Coffee', announce: true },
  })
  const gone = await send('POST', `/groups/${groupId}/participants/remove`, { participants: [customer] })
  expect(gone.body.result.participants).toMatchObject([{ phoneNumber: customer, outcome: 'done' }])
  const invite = await send('GET', `/groups/${groupId}/invite`)
  const joined = await rest(place.simulatorUrl).post('/groups/join', {
    by: digits(customer),
    code: invite.body.result.code,
  })
  expect(joined.status).toBe(200)
  expect((await send('POST', `/groups/${groupId}/leave`)).body).toMatchObject({ status: 'succeeded' })
  expect((await send('GET', `/groups/${groupId}`)).body).toMatchObject({
    status: 'failed',
    error: { code: 'forbidden', whatsappCode: '403' },
  })
})

it('an operation outlives the worker that was to do it', async () => {
  await place.killConnector()
  const { status, body } = await send('GET', '/blocked-contacts')
  const ended = status === 200 ? body : (await completed(body.operationId)).data
  expect(ended).toMatchObject({ kind: 'list_blocked', status: 'succeeded', result: { contacts: [] } })
})

it('no call was made that the template does not allow', () => {
  const refused = place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)
  expect(refused).toEqual([])
})
