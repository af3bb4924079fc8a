import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { animatedWebp, opus, pdf, png, type SampleFile } from './sample-media.ts'
import { Story } from './story.ts'

const customer = '+4915112345678'
let place: RunningPlace
let story: Story

beforeAll(async () => {
  place = await startPlace()
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
})
afterAll(async () => {
  story?.close()
  await place?.stop()
})

async function registered({ bytes, contentType }: SampleFile, tenant = story.tenant) {
  const { status, body } = await tenant.post('/media', { contentType, size: bytes.length })
  expect(status).toBe(201)
  return body
}

async function put(upload: { url: string; headers: Record<string, string> }, bytes: Buffer, headers: object = {}) {
  const { 'Content-Length': _, ...given } = upload.headers
  const response = await fetch(upload.url, {
    method: 'PUT',
    headers: { ...given, ...headers },
    body: new Uint8Array(bytes),
  })
  return { status: response.status, text: await response.text() }
}

async function uploaded(file: SampleFile, tenant = story.tenant): Promise<string> {
  const { mediaId, upload } = await registered(file, tenant)
  expect(await put(upload, file.bytes)).toMatchObject({ status: 200 })
  return mediaId
}

/** The error that a send ends with. */
async function failure(body: object) {
  const accepted = await story.tenant.post(`/connections/${story.connectionId}/messages`, { to: customer, ...body })
  expect(accepted).toMatchObject({ status: 202, body: { status: 'queued' } })
  const { messageId } = accepted.body
  const ended = await story.watcher.next(
    'the failure',
    ({ event, data }) => event === 'message-status' && data.messageId === messageId && data.status !== 'queued',
  )
  expect(ended.data.status).toBe('failed')
  return ended.data.error
}

const large = (file: SampleFile, bytes: number): SampleFile => ({
  ...file,
  bytes: Buffer.concat([file.bytes, Buffer.alloc(bytes - file.bytes.length)]),
})

describe('a medium that is not right is a problem that names the field', () => {
  it.each([
    ['no size', { contentType: 'image/png' }, ['size']],
    ['nothing', { contentType: 'image/png', size: 0 }, ['size']],
    ['more than WhatsApp takes', { contentType: 'image/png', size: 3_000_000_000 }, ['size']],
    ['no media type', { contentType: 'png', size: 1 }, ['contentType']],
    ['a folder in its name', { contentType: 'image/png', size: 1, filename: '../x.png' }, ['filename']],
    ['a hash that is none', { contentType: 'image/png', size: 1, sha256: 'abc' }, ['sha256']],
  ])('%s', async (_what, body, fields) => {
    const answer = await story.tenant.post('/media', body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(answer.body.errors.map(({ field }: { field: string }) => field)).toEqual(fields)
  })

  it.each([
    ['neither id nor link', { type: 'image', image: {} }, ['image']],
    ['both of them', { type: 'image', image: { id: 'med_1', link: 'https://example.com/' } }, ['image']],
    ['a file as a link', { type: 'image', image: { link: 'file:///etc/passwd' } }, ['image.link']],
    ['a caption on a sticker', { type: 'sticker', sticker: { id: 'med_1', caption: 'x' } }, ['sticker.caption']],
    [
      'shown once and forwarded',
      { type: 'image', image: { id: 'med_1' }, viewOnce: true, forwarded: true },
      ['viewOnce'],
    ],
  ])('in a send: %s', async (_what, body, fields) => {
    const path = `/connections/${story.connectionId}/messages`
    const answer = await story.tenant.post(path, { to: customer, ...body })
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(answer.body.errors.map(({ field }: { field: string }) => field)).toEqual(fields)
  })
})

describe('an upload', () => {
  it('of another size or type than was registered is refused by its address', async () => {
    const { mediaId, upload } = await registered(png)
    const refused = { status: 403, text: expect.stringContaining('SignatureDoesNotMatch') }
    expect(await put(upload, Buffer.concat([png.bytes, png.bytes]))).toEqual(refused)
    expect(await put(upload, png.bytes, { 'Content-Type': 'text/html' })).toEqual(refused)
    expect((await story.tenant.get(`/media/${mediaId}`)).body).toMatchObject({ state: 'waiting' })
    expect(await put(upload, png.bytes)).toMatchObject({ status: 200 })
    const { body } = await story.tenant.get(`/media/${mediaId}`)
    expect(body).toMatchObject({ state: 'ready', size: png.bytes.length })
    // An address to read is none to write.
    expect(await put({ url: body.download.url, headers: {} }, png.bytes)).toEqual(refused)
  })

  it('is deleted with its address', async () => {
    const mediaId = await uploaded(pdf)
    const { url } = (await story.tenant.get(`/media/${mediaId}`)).body.download
    expect((await story.tenant.delete(`/media/${mediaId}`)).status).toBe(204)
    expect(await story.tenant.get(`/media/${mediaId}`)).toMatchObject({
      status: 404,
      body: { code: 'media_not_found' },
    })
    expect((await fetch(url)).status).toBe(404)
  })

  it('may be made by a browser of another origin', async () => {
    const { upload } = await registered(png)
    const response = await fetch(upload.url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://shop.example')
    expect(response.headers.get('access-control-allow-methods')).toContain('PUT')
  })
})

describe('a send ends as failed, with a code and a sentence', () => {
  it("with another tenant's medium, which that tenant alone can read", async () => {
    const profile = await story.admin.post('/admin/business-profiles', { name: 'Other' })
    const path = `/admin/business-profiles/${profile.body.businessProfileId}/api-keys`
    const other = rest(place.httpUrl, (await story.admin.post(path, { label: 'other' })).body.apiKey)
    const id = await uploaded(png, other)
    expect(await other.get(`/media/${id}`)).toMatchObject({ status: 200 })
    expect(await story.tenant.get(`/media/${id}`)).toMatchObject({ status: 404, body: { code: 'media_not_found' } })
    expect(await failure({ type: 'image', image: { id } })).toEqual({
      code: 'media_not_found',
      message: 'image.id: expected the id of a medium of this business profile',
    })
    await story.tenant.delete(`/media/${id}`)
    expect(await other.get(`/media/${id}`)).toMatchObject({ status: 200, body: { state: 'ready' } })
  })

  it('with a medium whose bytes never came', async () => {
    const { mediaId } = await registered(png)
    const error = await failure({ type: 'image', image: { id: mediaId } })
    expect(error).toMatchObject({ code: 'media_not_found', message: expect.stringContaining('nothing was uploaded') })
  })

  it.each([
    [
      'another type than the kind has',
      'image',
      { ...pdf, contentType: 'image/png' },
      {},
      /expected image\/jpeg or image\/png; its bytes are application\/pdf/,
    ],
    [
      'another type than it declares',
      'document',
      { ...png, contentType: 'application/pdf' },
      {},
      /expected application\/pdf, as was declared; its bytes are image\/png/,
    ],
    [
      'more bytes than the kind has',
      'sticker',
      large(animatedWebp, 1_100_000),
      {},
      /expected at most 1048576 bytes for sticker, got 1100000/,
    ],
    [
      'a voice note that is none',
      'audio',
      { ...opus, bytes: Buffer.from('not sound at all') },
      { voice: true },
      /its bytes are of no known type/,
    ],
  ])('with %s', async (_what, type, file, more, message) => {
    const error = await failure({ type, [type]: { id: await uploaded(file), ...more } })
    expect(error).toEqual({ code: 'media_refused', message: expect.stringMatching(message) })
  })

  it.each([
    'https://127.0.0.1:1/tea.png',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::ffff:10.0.0.1]/tea.png',
    'https://localhost/tea.png',
    'https://2130706433/tea.png',
  ])('with a link to %s', async (link) => {
    const error = await failure({ type: 'image', image: { link } })
    expect(error).toEqual({
      code: 'link_failed',
      message: expect.stringMatching(/^image\.link: .* leads to an address that is not public$/),
    })
  })

  it('with a link without TLS', async () => {
    const error = await failure({ type: 'image', image: { link: 'http://example.com/tea.png' } })
    expect(error).toMatchObject({ code: 'link_failed', message: expect.stringContaining('https://') })
  })
})

describe('the medium of a message', () => {
  const mediaOf = (messageId: string) =>
    story.tenant.get(`/connections/${story.connectionId}/messages/${messageId}/media`, { prefer: 'wait=20' })
  const simulator = () => rest(place.simulatorUrl)

  async function received(bytes: string): Promise<string> {
    const body = { to: '94714515253', kind: 'document', data: Buffer.from(bytes).toString('base64') }
    expect((await rest(`${place.simulatorUrl}/phones/4915112345678`).post('/messages', body)).status).toBe(201)
    return (await story.watcher.next('it', ({ event }) => event === 'message-received')).data.messageId
  }

  /** With the id that the media host gave it. */
  async function receivedMedium(bytes: string) {
    const ids = async () => (await simulator().get('/media')).body.media.map(({ id }: { id: string }) => id) as string[]
    const before = new Set(await ids())
    const messageId = await received(bytes)
    return { messageId, id: (await ids()).find((id) => !before.has(id)) }
  }

  it('is asked for from the phone where WhatsApp has deleted it, and told as gone where the phone has, too', async () => {
    const { id: kept, messageId } = await receivedMedium('kept by the phone')
    await simulator().post(`/media/${kept}/expire`)
    const answer = await mediaOf(messageId)
    expect(answer).toMatchObject({ status: 200, body: { state: 'ready' } })
    expect(await (await fetch(answer.body.download.url)).text()).toBe('kept by the phone')

    const lost = await receivedMedium('kept by nobody')
    await simulator().delete(`/media/${lost.id}`)
    expect(await mediaOf(lost.messageId)).toMatchObject({ status: 410, body: { code: 'media_gone' } })
  })

  it('is an operation to those who do not wait: one for all of them, to be polled, and told when it has ended', async () => {
    const messageId = await received('not waited for')
    const path = `/connections/${story.connectionId}/messages/${messageId}/media`
    const asked = await story.tenant.get(path, { prefer: 'respond-async' })
    expect(asked).toMatchObject({ status: 202, body: { state: 'fetching', operationId: expect.any(String) } })
    const { operationId, mediaId } = asked.body
    const told = await story.watcher.next(
      'the end of the download',
      ({ event, data }) => event === 'operation-completed' && data.operationId === operationId,
    )
    expect(told.data).toMatchObject({ kind: 'download_media', status: 'succeeded', result: { mediaId, size: 14 } })
    const polled = await story.tenant.get(`/connections/${story.connectionId}/operations/${operationId}`)
    expect(polled).toMatchObject({ status: 200, body: { status: 'succeeded', result: { mediaId } } })
    const answer = await mediaOf(messageId)
    expect(answer).toMatchObject({ status: 200, body: { state: 'ready', mediaId } })
    expect(await (await fetch(answer.body.download.url)).text()).toBe('not waited for')
  })

  it('is nothing for a text, and not found for an unknown message', async () => {
    await story.inboundTextIsSeen('no medium')
    const { body } = await story.tenant.get(`/connections/${story.connectionId}/messages?limit=1`)
    expect(await mediaOf(body.items[0].messageId)).toMatchObject({ status: 404, body: { code: 'no_media' } })
    expect(await mediaOf('wam_none')).toMatchObject({ status: 404, body: { code: 'message_not_found' } })
  })

  it('comes by itself where the connection is set so', async () => {
    const patch = JSON.stringify({ downloadMedia: 'eager' })
    const path = `/connections/${story.connectionId}`
    const set = await story.tenant.raw('PATCH', path, patch, { 'content-type': 'application/json' })
    expect(set).toMatchObject({ status: 200, body: { downloadMedia: 'eager' } })
    // Until the worker has heard of it, the first call is the one that asks.
    const firstCall = async () =>
      (await story.tenant.get(`${path}/messages/${await received('by itself')}/media`)).status
    await expect.poll(firstCall, { timeout: 60_000, interval: 100 }).toBe(200)
  })
})

it('no call was made that the template does not allow', () => {
  const refused = place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)
  expect(refused).toEqual([])
})
