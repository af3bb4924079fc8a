import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { animatedWebp, movie, mp3, mp4, opus, pdf, photo, png, type SampleFile, voiceNote } from './sample-media.ts'
import { Stored } from './stored.ts'
import { Story } from './story.ts'

const business = '+94714515253'
const customer = '+4915112345678'
const digits = (phoneNumber: string) => phoneNumber.slice(1)

let place: RunningPlace
let story: Story
let group: string
let files: Server

beforeAll(async () => {
  // What links in sends lead to.
  files = createServer((request, response) => {
    if (request.url === '/tea.png') response.writeHead(200, { 'content-type': png.contentType }).end(png.bytes)
    else if (request.url === '/moved') response.writeHead(302, { location: '/tea.png' }).end()
    else if (request.url === '/page.png') response.writeHead(200, { 'content-type': png.contentType }).end('<html>')
    else if (request.url === '/huge.png') response.writeHead(200, { 'content-length': 17 * 1024 * 1024 }).end()
    else response.writeHead(404).end()
  })
  await new Promise<void>((listening) => files.listen(0, '127.0.0.1', listening))
  place = await startPlace({ environmentOverrides: { containers: { connector: { LINK_TARGETS: 'any' } } } })
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  const retention = JSON.stringify({ retention: { messagesDays: 3, mediaDays: 2 } })
  const profile = `/admin/business-profiles/${story.businessProfileId}`
  await story.admin.raw('PATCH', profile, retention, { 'content-type': 'application/json' })
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
  const participants = [digits(business)]
  const simulator = rest(place.simulatorUrl)
  group = (await simulator.post('/groups', { by: digits(customer), subject: 'Tea', participants })).body.id
})
afterAll(async () => {
  story?.close()
  await place?.stop()
  files?.close()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

/** As a caller does: registers, puts the bytes where it is told to, and gives the id. */
async function uploaded({ bytes, contentType }: SampleFile, more: object = {}): Promise<string> {
  const { status, body } = await story.tenant.post('/media', { contentType, size: bytes.length, ...more })
  expect([status, body]).toMatchObject([201, { state: 'waiting', upload: { method: 'PUT' } }])
  const put = await fetch(body.upload.url, { method: 'PUT', headers: body.upload.headers, body: new Uint8Array(bytes) })
  expect([put.status, await put.text()]).toEqual([200, ''])
  return body.mediaId
}

/** What is at a medium's address, checked against what is said of it. */
async function downloaded({ status, body }: Answer): Promise<Buffer> {
  expect([status, body]).toMatchObject([200, { state: 'ready', download: { url: expect.any(String) } }])
  const response = await fetch(body.download.url)
  const bytes = Buffer.from(await response.arrayBuffer())
  expect([response.status, response.headers.get('content-type'), bytes.length]).toEqual([
    200,
    body.contentType,
    body.size,
  ])
  return bytes
}

const mediumOf = (messageId: string): Promise<Answer> =>
  story.tenant.get(`/connections/${story.connectionId}/messages/${messageId}/media`, { prefer: 'wait=20' })

const frame = (event: string, matches: (data: Record<string, unknown>) => boolean) =>
  story.watcher.next(event, (each) => each.event === event && matches(each.data), 60_000)

/** Sends by REST, waits for `sent`, and gives what the customer's phone shows. */
async function shown(to: string, body: object) {
  const accepted = await story.tenant.post(`/connections/${story.connectionId}/messages`, { to, ...body })
  expect(accepted).toMatchObject({ status: 202, body: { status: 'queued' } })
  const { messageId } = accepted.body
  const before = await frame('message-status', (data) => data.messageId === messageId && data.status === 'sent')
  expect(before.data).toMatchObject(body)
  const inbox = await rest(place.simulatorUrl).get(`/phones/${digits(customer)}/inbox?count=1&wait=30`)
  return { messageId, message: inbox.body.messages.at(-1) }
}

/** The customer's phone sends; gives the frame that the watcher hears. */
async function heard(event: string, to: string, body: object) {
  const { status } = await rest(place.simulatorUrl).post(`/phones/${digits(customer)}/messages`, { to, ...body })
  expect(status).toBe(201)
  const { data } = await frame(event, (each) => each.direction === 'inbound')
  expect(data).toMatchObject({ from: { phoneNumber: customer, lid: expect.stringMatching(/@lid$/) } })
  const row = await story.tenant.get(`/connections/${story.connectionId}/messages/${data.messageId}`)
  expect(row.body).toEqual(data)
  return data
}

describe.each([
  ['a person', () => customer, () => digits(business), undefined],
  ['a group', () => group, () => group, true],
])('every kind, with %s', (_whom, toOf, backOf, inGroup) => {
  it('is sent, and acknowledged by WhatsApp', async () => {
    const to = toOf()
    const text = await shown(to, { type: 'text', text: { body: '*tea* is ready' } })
    expect(text.message).toMatchObject({ kind: 'text', text: '*tea* is ready' })
    const context = { message_id: text.messageId }
    const location = { latitude: 6.9, longitude: 79.8 }
    expect((await shown(to, { type: 'location', location, context })).message).toMatchObject({ kind: 'location' })
    const contacts = [{ name: { formatted_name: 'Carl' } }]
    expect((await shown(to, { type: 'contacts', contacts })).message).toMatchObject({ kind: 'contacts' })
    const poll = { name: 'Tea?', options: ['Black', 'Green'], selectableCount: 1 }
    const asked = await shown(to, { type: 'poll', poll })
    expect(asked.message).toMatchObject({ kind: 'poll' })
    const voted = await heard('poll-vote', backOf(), { kind: 'pollVote', of: asked.message.id, options: ['Green'] })
    expect(voted).toMatchObject({ poll_vote: { message_id: asked.messageId, options: ['Green'] } })
    expect((await shown(to, { type: 'reaction', reaction: { ...context, emoji: '👍' } })).message).toMatchObject({
      kind: 'reaction',
    })
    expect((await shown(to, { type: 'edit', edit: { ...context, text: 'better' } })).message).toMatchObject({
      kind: 'edit',
    })
    expect((await shown(to, { type: 'delete', delete: context })).message).toMatchObject({ kind: 'revoke' })
  })

  const sendable: [what: string, file: SampleFile, body: (id: string) => object, shown: object][] = [
    ['image', png, (id) => ({ image: { id, caption: 'tea' } }), { caption: 'tea', mimetype: 'image/png' }],
    ['video', movie, (id) => ({ video: { id } }), { mimetype: 'video/mp4', seconds: 3, width: 240, height: 320 }],
    ['video', mp4, (id) => ({ video: { id, gif: true } }), { gifPlayback: true }],
    ['audio', mp3, (id) => ({ audio: { id } }), { mimetype: 'audio/mpeg', seconds: 2 }],
    ['audio', opus, (id) => ({ audio: { id, voice: true } }), { ptt: true, seconds: 2, mimetype: opus.contentType }],
    ['document', pdf, (id) => ({ document: { id, filename: 'bill.pdf' } }), { fileName: 'bill.pdf' }],
    ['sticker', animatedWebp, (id) => ({ sticker: { id } }), { mimetype: 'image/webp' }],
  ]

  it('media are sent, and are what was uploaded', async () => {
    const to = toOf()
    for (const [type, file, body, shownThere] of sendable) {
      const sent = await shown(to, { type, ...body(await uploaded(file)) })
      expect(sent.message).toMatchObject({ kind: type, fileSha256: sha256(file.bytes), ...shownThere })
      const there = await fetch(`${place.simulatorUrl}/phones/${digits(customer)}/inbox/${sent.message.id}/media`)
      expect([type, there.status, sha256(new Uint8Array(await there.arrayBuffer()))]).toEqual([
        type,
        200,
        sha256(file.bytes),
      ])
      expect(sha256(await downloaded(await mediumOf(sent.messageId)))).toBe(sha256(file.bytes))
    }
  })

  it('a photograph shows a small one of itself before it is loaded, unless it is shown once', async () => {
    const id = await uploaded(photo)
    const { message } = await shown(toOf(), { type: 'image', image: { id } })
    expect(message).toMatchObject({ width: 480, height: 640 })
    const small = Buffer.from(message.jpegThumbnail, 'base64')
    expect(small.length).toBeLessThan(4_096)
    expect(await sharp(small).metadata()).toMatchObject({ format: 'jpeg', width: 54, height: 72 })
    const once = await shown(toOf(), { type: 'image', image: { id }, viewOnce: true })
    expect(once.message).toMatchObject({ viewOnce: true, width: 480 })
    expect(once.message).not.toHaveProperty('jpegThumbnail')
  })

  it('a voice note shows its waveform', async () => {
    const { message } = await shown(toOf(), { type: 'audio', audio: { id: await uploaded(voiceNote), voice: true } })
    expect(message).toMatchObject({ ptt: true, seconds: 2 })
    const bars = [...Buffer.from(message.waveform, 'base64')]
    expect(bars).toHaveLength(64)
    expect(Math.max(...bars.slice(0, 31))).toBeLessThan(20)
    expect(Math.min(...bars.slice(33))).toBeGreaterThan(80)
    expect(Math.max(...bars)).toBe(100)
  })

  it('a medium is sent from a link, as a reply, with mentions, once only, and disappearing', async () => {
    const to = toOf()
    const { port } = files.address() as AddressInfo
    const context = { message_id: (await shown(to, { type: 'text', text: { body: 'which?' } })).messageId }
    const image = { link: `http://127.0.0.1:${port}/moved`, caption: `this one, @${digits(customer)}` }
    const accompanied = { context, mentions: [`${digits(customer)}@s.whatsapp.net`], disappearAfterSeconds: 86_400 }
    const { message } = await shown(to, { type: 'image', image, ...accompanied })
    expect(message).toMatchObject({
      kind: 'image',
      fileSha256: sha256(png.bytes),
      ephemeral: 86_400,
      contextInfo: { quotedText: 'which?', mentions: accompanied.mentions },
    })
    expect(message.contextInfo).not.toHaveProperty('forwarded')
    const once = await shown(to, { type: 'image', image: { id: await uploaded(png) }, viewOnce: true })
    expect(once.message).toMatchObject({ kind: 'image', viewOnce: true })
  })

  it('a link to what is no image, too large or not there is a failure that names it', async () => {
    const { port } = files.address() as AddressInfo
    for (const [path, code, why] of [
      ['/page.png', 'media_refused', /^image\.link: .*its bytes are of no known type/],
      ['/huge.png', 'link_failed', /^image\.link: .*gives more than 16777216 bytes/],
      ['/none.png', 'link_failed', /^image\.link: .*answered 404/],
    ] as const) {
      const body = { to: toOf(), type: 'image', image: { link: `http://127.0.0.1:${port}${path}` } }
      const accepted = await story.tenant.post(`/connections/${story.connectionId}/messages`, body)
      const { messageId } = accepted.body
      const ended = await frame('message-status', (data) => data.messageId === messageId && data.status === 'failed')
      expect(ended.data.error).toEqual({ code, message: expect.stringMatching(why) })
    }
  })

  it('media are received, and downloaded when they are asked for', async () => {
    const receivable: [kind: string, phone: object, shownHere: object][] = [
      ['image', { caption: 'look' }, { caption: 'look' }],
      ['video', { gifPlayback: true }, { gif: true }],
      ['audio', { ptt: true, seconds: 3 }, { voice: true, seconds: 3 }],
      ['document', { fileName: 'bill.pdf' }, { filename: 'bill.pdf' }],
      ['sticker', {}, {}],
    ]
    for (const [kind, phone, shownHere] of receivable) {
      const bytes = Buffer.from(`a ${kind} from a phone `.repeat(20))
      const data = bytes.toString('base64')
      const received = await heard('message-received', backOf(), { kind, data, ...phone })
      const { messageId } = received
      const href = `/connections/${story.connectionId}/messages/${messageId}/media`
      expect(received).toMatchObject({ type: kind, [kind]: { bytes: bytes.length, ...shownHere }, media: { href } })
      expect((await downloaded(await mediumOf(messageId))).equals(bytes)).toBe(true)
    }
  })

  it('is received, and what is done to messages is an event of its own', async () => {
    const to = backOf()
    const text = await heard('message-received', to, { text: 'hello' })
    expect(text).toMatchObject({ type: 'text', text: { body: 'hello' }, ...(inGroup && { group: true, chat: group }) })
    const inbox = await rest(place.simulatorUrl).get(`/phones/${digits(customer)}/sent`)
    const of = inbox.body.messages.at(-1).id
    const about = { message_id: text.messageId }
    expect(await heard('message-received', to, { text: 'and', quote: of })).toMatchObject({ context: about })
    expect(await heard('message-reaction', to, { kind: 'reaction', of, text: '👍' })).toMatchObject({
      reaction: { ...about, emoji: '👍' },
    })
    expect(await heard('message-edited', to, { kind: 'edit', of, text: 'hello!' })).toMatchObject({
      edit: { ...about, text: 'hello!' },
    })
    expect(await heard('message-deleted', to, { kind: 'revoke', of })).toMatchObject({ delete: about })
    const image = await heard('message-received', to, { kind: 'image', size: 100, caption: 'tea' })
    expect(image).toMatchObject({ type: 'image', image: { bytes: 100, caption: 'tea' } })
    expect(JSON.stringify(image)).not.toContain('mediaKey')
  })
})

it('a received message is marked as read, and typing is shown', async () => {
  const messages = `/connections/${story.connectionId}/messages`
  const { messageId } = await heard('message-received', digits(business), { text: 'seen?' })
  expect((await story.tenant.post(`${messages}/${messageId}/read`)).status).toBe(202)
  const typing = { to: customer, presence: 'typing' }
  expect((await story.tenant.post(`/connections/${story.connectionId}/presence`, typing)).status).toBe(202)
  const phone = rest(`${place.simulatorUrl}/phones/${digits(customer)}`)
  await expect
    .poll(async () => JSON.stringify((await phone.get('/sent')).body.messages.at(-1).receipts), { timeout: 60_000 })
    .toContain('"read"')
  await expect
    .poll(async () => (await phone.get('/presence')).body.chatStates.at(-1)?.state, { timeout: 60_000 })
    .toBe('composing')
})

it('of a message to a group each member says how far they got', async () => {
  const sent = await shown(group, { type: 'text', text: { body: 'who read it?' } })
  const { data } = await frame('message-status', (each) => each.messageId === sent.messageId && isReadBy(each, 1))
  expect(data).toMatchObject({ receipts: { delivered: 1, read: 1, played: 0 } })
  expect(data.receipts).not.toHaveProperty('participants')
  const { body } = await story.tenant.get(`/connections/${story.connectionId}/messages/${sent.messageId}`)
  expect(body).toMatchObject({
    status: 'read',
    receipts: {
      read: 1,
      participants: [
        {
          participant: { phoneNumber: customer, lid: expect.stringMatching(/@lid$/) },
          deliveredAt: expect.any(String),
          readAt: expect.any(String),
        },
      ],
    },
  })
})

const isReadBy = ({ receipts }: Record<string, unknown>, members: number): boolean =>
  (receipts as { readonly read: number } | undefined)?.read === members

it('messages in groups are ignored where the connection is set so', async () => {
  const patch = JSON.stringify({ ignore: { groups: true } })
  const path = `/connections/${story.connectionId}`
  const set = await story.tenant.raw('PATCH', path, patch, { 'content-type': 'application/json' })
  expect(set).toMatchObject({ status: 200, body: { ignore: { groups: true } } })
  const phone = rest(`${place.simulatorUrl}/phones/${digits(customer)}`)
  // Until the worker has heard of it, messages still come.
  for (let said = 0; ; said += 1) {
    await phone.post('/messages', { to: group, text: `group ${said}` })
    await phone.post('/messages', { to: digits(business), text: `after ${said}` })
    await frame('message-received', (data) => (data.text as { body: string }).body === `after ${said}`)
    const listed = await story.tenant.get(`${path}/messages?limit=2`)
    if (!JSON.stringify(listed.body).includes(`group ${said}`)) break
    expect(said).toBeLessThan(50)
  }
})

it('a reply to a message that does not exist fails, and says which field is wrong', async () => {
  const body = { to: customer, type: 'text', text: { body: 'x' }, context: { message_id: 'wam_none' } }
  const { messageId } = (await story.tenant.post(`/connections/${story.connectionId}/messages`, body)).body
  const { data } = await frame('message-status', (each) => each.messageId === messageId && each.status === 'failed')
  expect(data).toMatchObject({
    error: { code: 'invalid_content', message: expect.stringMatching(/^context\.message_id: /) },
  })
})

it('everything ends when its business profile says, and the bytes of a medium with its row', async () => {
  const stored = new Stored(place)
  const ofProfile = await stored.items(({ item }) => item.businessProfileId === story.businessProfileId)
  const days = ({ item }: (typeof ofProfile)[number]) =>
    Math.round((Number(item.expireAt) - Date.now() / 1_000) / 86_400)
  const media = ofProfile.filter(({ table }) => table === 'Media')
  expect(new Set(media.map(({ item }) => item.origin))).toEqual(new Set(['upload', 'link', 'message']))
  expect(new Set(media.map(days))).toEqual(new Set([2]))
  const messages = ofProfile.filter(({ table, item }) => table === 'Messages' && item.direction !== undefined)
  expect(new Set(messages.map(({ item }) => item.direction))).toEqual(new Set(['inbound', 'outbound']))
  expect(new Set(messages.map(days))).toEqual(new Set([3]))

  const { businessProfileId } = story
  const mediaId = String(media.find(({ item }) => item.origin === 'upload')?.item.mediaId)
  const key = `media/${businessProfileId}/${mediaId}`
  expect(await stored.objects()).toContain(key)
  await stored.end('Media', { businessProfileId, mediaId })
  expect((await story.tenant.get(`/media/${mediaId}`)).status).toBe(404)
  await expect.poll(() => stored.objects(), { timeout: 120_000, interval: 500 }).not.toContain(key)
  stored.close()
})

it('no call was made that the template does not allow', () => {
  const refused = place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)
  expect(refused).toEqual([])
})
