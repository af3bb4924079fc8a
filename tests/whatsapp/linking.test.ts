import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryAuth, Simulation } from './client.ts'

const ALICE = '15550100001'
const SHOP = '15550100009'

describe('linking a device', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE, { name: 'Alice' })
    await simulation.phone(SHOP, { name: 'The Shop', business: true })
  })

  afterEach(() => simulation.close())

  test('by QR: the scan answers when the device is linked, 515 follows, and the same creds log in', async () => {
    const pairing = simulation.client()
    const { status, body } = await simulation.scan(ALICE, await pairing.qr())
    expect({ status, body }).toEqual({ status: 200, body: { device: `${ALICE}:1` } })
    expect(await pairing.closed()).toMatchObject({ statusCode: 515 })
    const client = simulation.again(pairing)
    await client.opened()
    await client.history()
    expect(client.socket.user).toMatchObject({ id: `${ALICE}:1@s.whatsapp.net` })
    expect(client.socket.user?.name).toBeUndefined()
    const { body: shown } = await simulation.call<{ devices: unknown[] }>('GET', `/phones/${ALICE}/devices`)
    // Of 812 prekeys the phone took one for its own session with the device.
    expect(shown.devices).toMatchObject([{ device: 1, connected: true, preKeys: 811 }])
  })

  test('a business phone tells its name, as WhatsApp does only for business accounts', async () => {
    const pairing = simulation.client()
    await simulation.scan(SHOP, await pairing.qr())
    await pairing.closed()
    expect(pairing.auth.state.creds.me).toMatchObject({ name: 'The Shop' })
    const client = simulation.again(pairing)
    await client.opened()
    await simulation.send(ALICE, SHOP, 'are you open?')
    await client.text('are you open?')
  })

  test('the bare form of the QR text is read as well', async () => {
    const pairing = simulation.client()
    const bare = (await pairing.qr()).split('#')[1] ?? ''
    expect(await simulation.scan(ALICE, bare)).toMatchObject({ status: 200 })
  })

  test('by code: the code that the client shows, typed with or without the dash', async () => {
    const pairing = simulation.client()
    await pairing.qr()
    const code = await pairing.socket.requestPairingCode(ALICE)
    const typed = `${code.slice(0, 4)}-${code.slice(4)}`
    const { status, body } = await simulation.call('POST', `/phones/${ALICE}/pairing-code`, { code: typed })
    expect({ status, body }).toEqual({ status: 200, body: { device: `${ALICE}:1` } })
    expect(await pairing.closed()).toMatchObject({ statusCode: 515 })
    expect(pairing.auth.state.creds.registered).toBe(true)
    await simulation.again(pairing).opened()
  })

  test('a wrong code is refused, and the right one still works', async () => {
    const pairing = simulation.client()
    await pairing.qr()
    const code = await pairing.socket.requestPairingCode(ALICE)
    expect(await simulation.call('POST', `/phones/${ALICE}/pairing-code`, { code: 'AAAAAAAA' })).toMatchObject({
      status: 422,
      body: { code: 'code_wrong' },
    })
    expect(await simulation.call('POST', `/phones/${ALICE}/pairing-code`, { code })).toMatchObject({ status: 200 })
  })

  test('scans that can not work say why', async () => {
    const pairing = simulation.client()
    const parts = (await pairing.qr()).split(',')
    const forged = [parts[0], memoryAuth().state.creds.noiseKey.public, ...parts.slice(2)].map((part) =>
      typeof part === 'string' ? part : Buffer.from(part ?? '').toString('base64'),
    )
    expect(await simulation.scan(ALICE, 'nonsense')).toMatchObject({ status: 400, body: { code: 'qr_malformed' } })
    expect(await simulation.scan(ALICE, forged.join(','))).toMatchObject({
      status: 409,
      body: { code: 'qr_key_mismatch' },
    })
    const unknown = ['gone', ...parts.slice(1)].join(',')
    expect(await simulation.scan(ALICE, unknown)).toMatchObject({ status: 404, body: { code: 'qr_not_offered' } })
    expect(await simulation.scan('15550199999', parts.join(','))).toMatchObject({
      status: 404,
      body: { code: 'phone_unknown' },
    })
  })

  test('a device that signs with another key than it registered with is refused', async () => {
    const pairing = simulation.client()
    const qr = await pairing.qr()
    const { creds } = pairing.auth.state
    // The public key stays what the QR says: only raw verification of the signature can tell.
    const { private: other } = memoryAuth().state.creds.signedIdentityKey
    Object.assign(creds, { signedIdentityKey: { ...creds.signedIdentityKey, private: other } })
    expect(await simulation.scan(ALICE, qr)).toMatchObject({ status: 422, body: { code: 'device_signature_invalid' } })
    expect(await pairing.closed()).toMatchObject({ statusCode: 401 })
    const { body } = await simulation.call<{ devices: unknown[] }>('GET', `/phones/${ALICE}/devices`)
    expect(body.devices).toEqual([])
  })
})
