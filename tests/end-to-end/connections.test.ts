import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import type { Frame } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

const phoneNumber = '+94771234567'

describe('a connection from its pairing code to its end', () => {
  let place: RunningPlace
  let story: Story
  let connectionId: string
  let failed = false
  const event = (name: string, matches: (frame: Frame) => boolean = () => true) =>
    story.watcher.next(name, (f) => f.event === name && f.connectionId === connectionId && matches(f), 60_000)

  beforeAll(async () => {
    place = await startPlace()
    story = new Story(place, { stepMs: 60_000 })
    await story.adminCreatesProfileAndKey()
    await story.clientWatches()
    await story.simulatedPhones.create(phoneNumber, { name: 'Nuwan' })
  })
  beforeEach((context) => {
    context.skip(failed, 'an earlier step failed')
    onTestFailed(() => {
      failed = true
    })
  })
  afterAll(async () => {
    story?.close()
    await place?.stop()
  })

  it('needs the phone number when pairing is by code', async () => {
    const answer = await story.tenant.post('/connections', { label: 'Shop', pairing: 'code' })
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ field: 'phoneNumber' }] } })
  })

  it('is linked by a code that a person enters on the phone', async () => {
    // A JID and bare digits are the same number.
    const bare = phoneNumber.slice(1)
    const created = await story.tenant.post('/connections', { label: 'Shop', pairing: 'code', phoneNumber: bare })
    expect(created).toMatchObject({ status: 201, body: { status: 'qr_pending', phoneNumber } })
    connectionId = created.body.connectionId
    // A code that comes at once is told with the connection's creation.
    const hasCode = (frame: Frame) => frame.connectionId === connectionId && frame.data.pairingCode !== undefined
    const offered = await story.watcher.next('a pairing code', hasCode, 60_000)
    expect(offered.data.pairingCode.code).toMatch(/^[0-9A-Z]{8}$/)
    expect(Date.parse(offered.data.pairingCode.expiresAt)).toBeGreaterThan(Date.now())
    await story.simulatedPhones.enterCode(phoneNumber, offered.data.pairingCode.code)
    const connected = await event('whatsapp-connected')
    expect(connected.data).toMatchObject({ status: 'connected', phoneNumber })
    expect(connected.data).not.toHaveProperty('pairingCode')
  })

  it('is restarted with the same identity', async () => {
    const before = await story.simulatedPhones.stats()
    const { body } = await story.tenant.get(`/connections/${connectionId}`)
    expect((await story.tenant.post(`/connections/${connectionId}/restart`)).status).toBe(202)
    await event('whatsapp-reconnecting', (frame) => frame.data.reason === 'restart_requested')
    const back = await event('whatsapp-connected')
    expect(back.version).toBeGreaterThan(body.version)
    expect((await story.simulatedPhones.stats()).pairings).toEqual(before.pairings)
  })

  it('is logged out, and linked again by QR: as JSON, PNG and SVG', async () => {
    await story.tenant.post(`/connections/${connectionId}/logout`)
    await event('whatsapp-disconnected', (frame) => frame.data.reason === 'logged_out')
    const none = await story.tenant.get(`/connections/${connectionId}/qr`)
    expect(none).toMatchObject({ status: 409, body: { code: 'qr_not_available' } })

    expect((await story.tenant.post(`/connections/${connectionId}/pair`, { pairing: 'qr' })).status).toBe(202)
    const offered = await event('whatsapp-qr', (frame) => frame.data.qr !== undefined)
    const json = await story.tenant.get(`/connections/${connectionId}/qr`, { accept: 'application/json' })
    expect(json.body).toMatchObject({ qr: offered.data.qr.text, expiresAt: expect.any(String) })
    const svg = await story.tenant.get(`/connections/${connectionId}/qr`, { accept: 'image/svg+xml' })
    expect(svg.headers.get('content-type')).toMatch(/^image\/svg\+xml/)
    expect(svg.body).toMatch(/^<svg /)
    const png = await fetch(`${place.httpUrl}/connections/${connectionId}/qr`, {
      headers: { accept: 'image/png', 'x-api-key': story.apiKey },
    })
    expect(
      Buffer.from(await png.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')

    await story.simulatedPhones.scan(phoneNumber, offered.data.qr.text)
    await event('whatsapp-connected')
  })

  it('is deleted: it stays a state until the worker has unlinked it, and then it is gone', async () => {
    const answer = await story.tenant.delete(`/connections/${connectionId}`)
    expect(answer).toMatchObject({ status: 202, body: { status: 'disconnected', reason: 'deleting' } })
    await event('connection-deleted')
    const gone = await story.tenant.get(`/connections/${connectionId}`)
    expect(gone).toMatchObject({ status: 404, body: { code: 'connection_not_found' } })
    expect((await story.tenant.get('/connections')).body.items).toEqual([])
    const stats = await story.simulatedPhones.stats()
    expect(stats).toMatchObject({ socketsOpen: 0, conflicts: 0, maxSocketsPerDevice: 1 })
  })
})

describe('QR codes that nobody scans', () => {
  it('run out: disconnected / qr_expired, and pairing again shows new ones', async () => {
    const place = await startPlace({ environmentOverrides: { containers: { connector: { QR_TTL_MS: '150' } } } })
    const story = new Story(place, { stepMs: 60_000 })
    try {
      await story.adminCreatesProfileAndKey()
      await story.clientWatches()
      const { body } = await story.tenant.post('/connections', { label: 'Nobody', pairing: 'qr' })
      const event = (name: string) =>
        story.watcher.next(name, (f) => f.event === name && f.connectionId === body.connectionId, 60_000)
      const first = await event('whatsapp-qr')
      const ended = await event('whatsapp-disconnected')
      expect(ended.data).toMatchObject({ status: 'disconnected', reason: 'qr_expired', remedy: 'scan_qr' })
      expect(ended.data).not.toHaveProperty('qr')
      expect((await story.tenant.post(`/connections/${body.connectionId}/pair`)).status).toBe(202)
      const next = await event('whatsapp-qr')
      expect(next.data.qr.text).not.toBe(first.data.qr.text)
    } finally {
      story.close()
      await place.stop()
    }
  })
})
