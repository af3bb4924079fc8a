import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryAuth, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'

describe('login of a known device', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
  })

  afterEach(() => simulation.close())

  test('a second login replaces the first, which shows as two sockets at once and a conflict', async () => {
    const first = await simulation.linked(ALICE)
    const second = simulation.again(first)
    await second.opened()
    expect(await first.closed()).toMatchObject({ statusCode: 440, data: { attrs: { type: 'replaced' } } })
    const stats = await simulation.stats()
    expect(stats).toMatchObject({ conflicts: 1, maxSocketsPerDevice: 2, socketsOpen: 1, loginsTotal: 2 })
    expect(stats.devices[`${ALICE}:1`]).toMatchObject({ open: 1, maxOpen: 2, logins: 2 })
  })

  test('one login after the other is never two at once', async () => {
    const first = await simulation.linked(ALICE)
    await first.stop()
    await simulation.again(first).opened()
    expect(await simulation.stats()).toMatchObject({ conflicts: 0, maxSocketsPerDevice: 1 })
  })

  test('a client that holds routing info is understood as well', async () => {
    const first = await simulation.linked(ALICE)
    await first.stop()
    Object.assign(first.auth.state.creds, { routingInfo: Buffer.from([8, 2, 8, 5]) })
    await simulation.again(first).opened()
  })

  test('another Noise key than the registered one is a 401', async () => {
    const client = await simulation.linked(ALICE)
    await client.stop()
    Object.assign(client.auth.state.creds, { noiseKey: memoryAuth().state.creds.noiseKey })
    expect(await simulation.again(client).closed()).toMatchObject({ statusCode: 401 })
    expect(await simulation.stats()).toMatchObject({ refusedLogins: 1 })
  })

  test('unlinking on the phone ends the socket as device removed, and the next login is a 401', async () => {
    const client = await simulation.linked(ALICE)
    expect(await simulation.call('DELETE', `/phones/${ALICE}/devices/1`)).toMatchObject({ status: 204 })
    expect(await client.closed()).toMatchObject({ statusCode: 401, data: { attrs: { type: 'device_removed' } } })
    expect(await simulation.again(client).closed()).toMatchObject({ statusCode: 401 })
  })

  test('logging out on the device unlinks it', async () => {
    const client = await simulation.linked(ALICE)
    await client.socket.logout()
    expect(await client.closed()).toMatchObject({ statusCode: 401 })
    expect(await simulation.again(client).closed()).toMatchObject({ statusCode: 401 })
    const { body } = await simulation.call<{ devices: unknown[] }>('GET', `/phones/${ALICE}/devices`)
    expect(body.devices).toEqual([])
  })

  test('a client that trusts another root key refuses the server', async () => {
    const client = await simulation.linked(ALICE)
    await client.stop()
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(memoryAuth().state.creds.noiseKey.public)
    expect(await simulation.again(client).closed()).toMatchObject({ statusCode: 400 })
    expect(await simulation.stats()).toMatchObject({ loginsTotal: 1 })
  })

  test('a query that the server does not know gets an error, not silence', async () => {
    const client = await simulation.linked(ALICE)
    const asked = client.socket.query({ tag: 'iq', attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'no:such' } })
    await expect(asked).rejects.toMatchObject({ data: 501 })
  })

  test('numbers are looked up: who is there, and who is not', async () => {
    const client = await simulation.linked(ALICE)
    const found = await client.socket.onWhatsApp(BOB, '15550199999')
    expect(found).toEqual([{ jid: `${BOB}@s.whatsapp.net`, exists: true }])
  })
})
