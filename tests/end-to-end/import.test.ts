import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { useMultiFileAuthState as multiFileAuthState } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, Simulation, textOf } from '../whatsapp/client.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

/**
 * Who comes from a gateway on Baileys brings its auth folders. The folder here is made by Baileys itself, against the simulated
 * server, with messages both ways, so that sessions in it have moved on.
 */

const business = '4915550000001'
const customer = '4915550000002'
const stranger = '4915550000003'

let simulation: Simulation
let place: RunningPlace
let story: Story
let folder: string
let files: Record<string, unknown>

/** Another gateway: links, writes to the customer, hears from it, and is stopped. */
async function oldGateway(): Promise<void> {
  const auth = await multiFileAuthState(folder)
  const open = (): Client => {
    const client = simulation.track(new Client(simulation.server.url, { state: auth.state, keys: new Map() }))
    client.socket.ev.on('creds.update', () => void auth.saveCreds())
    return client
  }
  const pairing = open()
  await simulation.scan(business, await pairing.qr())
  await pairing.closed()
  const client = open()
  await client.opened()
  await client.caughtUp()
  await client.history()
  await client.sendText(customer, 'from the old gateway')
  await simulation.inbox(customer, 1)
  const id = await simulation.send(customer, business, 'to the old gateway')
  expect(textOf(await client.message(id))).toBe('to the old gateway')
  await client.ping()
  await client.stop()
  await auth.saveCreds()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-import-'))
  simulation = await Simulation.start()
  for (const phone of [business, customer, stranger]) await simulation.phone(phone)
  await oldGateway()
  files = Object.fromEntries(
    readdirSync(folder).map((name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8'))]),
  )
  const { url, rootPublicKeyHex } = simulation.server
  place = await startPlace({ whatsapp: { kind: 'server', url, rootKey: rootPublicKeyHex } })
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
})
afterAll(async () => {
  story?.close()
  await place?.stop()
  await simulation?.close()
  rmSync(folder, { recursive: true, force: true })
})

const importPath = (businessProfileId = story.businessProfileId) =>
  `/admin/business-profiles/${businessProfileId}/connections/import`

const event = (name: string, matches: (data: Record<string, unknown>) => boolean = () => true) =>
  story.watcher.next(name, (frame) => frame.event === name && matches(frame.data), 60_000)

describe('a Baileys auth folder', () => {
  let connectionId: string

  it('has the files that Baileys writes', () => {
    const kinds = new Set(Object.keys(files).map((name) => name.replace(/-?[\d@].*|\.json$/, '')))
    expect([...kinds]).toEqual(expect.arrayContaining(['creds', 'pre-key', 'session']))
  })

  it('is refused where it is not whole, by the names of the files, and leaves nothing behind', async () => {
    const { 'creds.json': creds, ...rest } = files
    const refused = await story.admin.post(importPath(), { label: 'Torn', files: rest })
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: 'files.creds.json' }] } })
    const torn = { ...files, 'creds.json': { ...(creds as object), me: undefined, account: undefined } }
    const unlinked = await story.admin.post(importPath(), { label: 'Torn', files: torn })
    expect(unlinked.body.errors.map((error: { field: string }) => error.field)).toEqual([
      'files.creds.json.account',
      'files.creds.json.me.id',
    ])
    const strange = await story.admin.post(importPath(), { label: 'Torn', files: { ...files, 'notes.txt': 'x' } })
    expect(strange).toMatchObject({ status: 400, body: { errors: [{ field: 'files.notes.txt' }] } })
    expect((await story.tenant.get('/connections')).body.items).toEqual([])
  })

  it('is connected without a scan', async () => {
    const before = await simulation.stats()
    const body = gzipSync(JSON.stringify({ label: 'Moved', files }))
    const response = await fetch(new URL(importPath().slice(1), `${place.httpUrl.replace(/\/$/, '')}/`), {
      method: 'POST',
      headers: {
        'x-api-key': place.adminApiKey,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body,
    })
    const imported = (await response.json()) as { connectionId: string }
    expect([response.status, imported]).toEqual([
      201,
      expect.objectContaining({ label: 'Moved', phoneNumber: `+${business}`, status: 'reconnecting' }),
    ])
    connectionId = imported.connectionId
    await expect
      .poll(async () => (await story.tenant.get(`/connections/${connectionId}`)).body.status, { timeout: 60_000 })
      .toBe('connected')
    const after = await simulation.stats()
    expect(after.pairings).toEqual(before.pairings)
  })

  it('goes on with the sessions that it had: both directions decrypt', async () => {
    const send = { to: `+${customer}`, type: 'text', text: { body: 'from Holdfast' } }
    const accepted = await story.tenant.post(`/connections/${connectionId}/messages`, send)
    expect(accepted.status).toBe(202)
    await event('message-status', (data) => data.messageId === accepted.body.messageId && data.status === 'delivered')
    const inbox = await simulation.inbox(customer, 2)
    expect(inbox.messages.at(-1)).toMatchObject({ text: 'from Holdfast' })
    expect(inbox.undecryptable).toEqual([])
    await simulation.send(customer, business, 'to Holdfast')
    const received = await event('message-received')
    expect(received.data).toMatchObject({ direction: 'inbound', text: { body: 'to Holdfast' } })
  })

  it('and with people it never met', async () => {
    await simulation.send(stranger, business, 'hello')
    const received = await event('message-received')
    expect(received.data).toMatchObject({ text: { body: 'hello' } })
  })

  it('is refused a second time, for whichever business profile', async () => {
    const again = await story.admin.post(importPath(), { label: 'Again', files })
    expect(again).toMatchObject({ status: 409, body: { code: 'device_already_linked' } })
    const other = await story.admin.post('/admin/business-profiles', { name: 'Other' })
    const elsewhere = await story.admin.post(importPath(other.body.businessProfileId), { label: 'Else', files })
    expect(elsewhere).toMatchObject({ status: 409, body: { code: 'device_already_linked' } })
    expect(JSON.stringify(elsewhere.body)).not.toContain(connectionId)
  })
})
