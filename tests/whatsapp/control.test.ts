import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'

describe('the control API', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
  })

  afterEach(() => simulation.close())

  test('creating a phone twice is the same phone, with the newer settings', async () => {
    const first = await simulation.call<{ lid: string }>('POST', '/phones', {
      phoneNumber: '+1 555 010 0003',
      name: 'Carol',
    })
    const again = await simulation.call<{ lid: string }>('POST', '/phones', {
      phoneNumber: '15550100003',
      autoRead: false,
    })
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toMatchObject({
      lid: first.body.lid,
      name: 'Carol',
      autoRead: false,
      business: false,
      devices: [],
    })
    expect(first.body.lid).toMatch(/^\d{15}$/)
  })

  test('what is wrong with a request is said: field, route, method, JSON', async () => {
    expect(await simulation.call('POST', '/phones', { phoneNumber: 'Alice' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', detail: expect.stringContaining('phoneNumber') },
    })
    expect(await simulation.call('POST', '/phones', { phoneNumber: ALICE, colour: 'red' })).toMatchObject({
      status: 400,
    })
    expect(await simulation.call('GET', '/nothing')).toMatchObject({ status: 404, body: { code: 'route_unknown' } })
    expect(await simulation.call('PUT', '/phones')).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } })
    const response = await fetch(`${simulation.server.controlUrl}/phones`, { method: 'POST', body: '{' })
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_json' })
  })

  test('the inbox can be waited for, and shows a message once however often it arrives', async () => {
    const client = await simulation.linked(ALICE)
    const waiting = simulation.inbox(BOB, 1)
    const id = '3EB0000000000000000001'
    for (const _ of [1, 2, 3]) {
      await client.sendText(BOB, 'exactly once', id)
      await client.until('its receipts', () => client.receipts.get(id)?.length)
    }
    expect((await waiting).messages).toHaveLength(1)
    await client.until(
      'three deliveries',
      () => (client.receipts.get(id)?.filter((type) => type === 'delivered').length ?? 0) >= 3,
    )
    expect((await simulation.inbox(BOB)).messages).toMatchObject([{ id, text: 'exactly once', arrivals: 3 }])
    const stats = await simulation.stats()
    expect(stats.messages).toEqual({ [id]: 3 })
    expect(stats).toMatchObject({ messagesTotal: 3, messagesDistinct: 1, messagesArrivedTwice: 1 })
  })

  test('receipts can be held back and sent by hand', async () => {
    await simulation.call('PATCH', `/phones/${BOB}`, { autoDeliver: false })
    const client = await simulation.linked(ALICE)
    const id = await client.sendText(BOB, 'quiet')
    expect((await simulation.inbox(BOB, 1)).messages).toMatchObject([{ id, read: false }])
    expect(client.receipts.has(id)).toBe(false)
    await simulation.call('POST', `/phones/${BOB}/deliver`, { id })
    await simulation.call('POST', `/phones/${BOB}/read`, { id })
    await client.until('both', () => client.receipts.get(id)?.length === 2)
    expect(client.receipts.get(id)).toEqual(['delivered', 'read'])
    expect(await simulation.call('POST', `/phones/${BOB}/read`, { id: 'none' })).toMatchObject({ status: 404 })
  })

  test.each(['lid', 'pn'])('receipts come from the %s, whichever a message was sent to', async (receiptsFrom) => {
    const { body } = await simulation.call<{ lid: string }>('PATCH', `/phones/${BOB}`, { receiptsFrom })
    const client = await simulation.linked(ALICE)
    const from = new Promise((resolve) =>
      client.socket.ws.once('CB:receipt', ({ attrs }: { attrs: { from: string } }) => resolve(attrs.from)),
    )
    await client.sendText(BOB, 'hello')
    expect(await from).toBe(receiptsFrom === 'lid' ? `${body.lid}@lid` : `${BOB}@s.whatsapp.net`)
  })

  test('the event stream tells what happens, one JSON line each', async () => {
    const response = await fetch(`${simulation.server.controlUrl}/events`)
    const events: { event: string }[] = []
    const lines = createInterface(Readable.fromWeb(response.body as never))
    const ended = new Promise((resolve) => lines.once('close', resolve))
    const told = new Promise<void>((resolve) =>
      lines.on('line', (line) => {
        events.push(JSON.parse(line))
        if (events.at(-1)?.event === 'receipt') resolve()
      }),
    )
    const client = await simulation.linked(ALICE)
    const id = await client.sendText(BOB, 'hello')
    await told
    const names = events.map(({ event }) => event)
    expect(names.filter((name) => name !== 'logout').slice(0, 3)).toEqual(['registration', 'pairing', 'login'])
    expect(events).toContainEqual(expect.objectContaining({ event: 'message', id, from: `${ALICE}:1`, arrivals: 1 }))
    expect(events).toContainEqual(expect.objectContaining({ event: 'received', id, phone: BOB }))
    await simulation.server.close()
    await ended
  })

  test('statistics start anew when reset, and what is open stays open', async () => {
    const client = await simulation.linked(ALICE)
    await client.acknowledged(await client.sendText(BOB, 'hello'))
    expect(await simulation.stats()).toMatchObject({ loginsTotal: 1, loginRatePeak: 1, pairings: 1, messagesTotal: 1 })
    await simulation.call('POST', '/stats/reset')
    expect(await simulation.stats()).toMatchObject({ loginsTotal: 0, pairings: 0, messagesTotal: 0, socketsOpen: 1 })
    await client.stop()
    await simulation.again(client).opened()
    expect(await simulation.stats()).toMatchObject({ socketsOpen: 1, maxSocketsPerDevice: 1, loginsTotal: 1 })
  })
})

describe('a client that asks for history', () => {
  test('gets it from the phone at once, with the LIDs of whom the phone has written with', async () => {
    const simulation = await Simulation.start()
    try {
      const { body } = await simulation.call<{ lid: string }>('POST', '/phones', { phoneNumber: BOB })
      await simulation.phone(ALICE)
      await simulation.send(ALICE, BOB, 'before any device was linked')
      const pairing = simulation.client()
      await simulation.scan(ALICE, await pairing.qr())
      await pairing.closed()
      const client = simulation.again(pairing, { shouldSyncHistoryMessage: () => true })
      const history = new Promise((resolve) => client.socket.ev.on('messaging-history.set', resolve))
      await client.opened()
      expect(await history).toMatchObject({ progress: 100, isLatest: true })
      // The event may have lost them: Baileys leaves the mappings out when it merges what it buffered.
      expect(client.auth.keys.get(`lid-mapping ${BOB}`)).toBe(body.lid)
      await simulation.send(BOB, ALICE, 'live')
      await client.text('live')
    } finally {
      await simulation.close()
    }
  })
})
