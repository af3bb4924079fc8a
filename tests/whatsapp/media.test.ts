import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AnyMessageContent,
  downloadContentFromMessage,
  downloadMediaMessage,
  getContentType,
  normalizeMessageContent,
  type proto,
  type WAMessage,
} from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { rangeOf } from '../../local/whatsapp/media-http.ts'
import { type Client, Simulation } from './client.ts'
import { PlainAgent, plainDispatcher } from './media-transport.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const LARGE = 100 * 1024 * 1024

const overPlainHttp = { fetchAgent: new PlainAgent() }
const fetchOptions = { options: { dispatcher: plainDispatcher } as RequestInit }

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function mediumOf({ message }: WAMessage): proto.Message.IImageMessage {
  const content = normalizeMessageContent(message) ?? {}
  return content[getContentType(content) as 'imageMessage'] ?? {}
}

/** As Baileys' users download: by direct path, from the host that the message names. */
function download(message: WAMessage): Promise<Buffer> {
  return downloadMediaMessage(message, 'buffer', fetchOptions)
}

describe('media', () => {
  let simulation: Simulation
  let stateDir: string
  let client: Client
  const jid = `${BOB}@s.whatsapp.net`

  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'whatsapp-simulator-'))
    simulation = await Simulation.start({ stateDir })
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
    client = await simulation.linked(ALICE, overPlainHttp)
  })

  afterAll(async () => {
    await simulation.close()
    await rm(stateDir, { recursive: true })
  })

  const bytes = Buffer.from('the bytes of a medium'.repeat(1000))
  const thumbnail = { jpegThumbnail: '' }
  const UPLOADS: [kind: string, content: AnyMessageContent, shown: Record<string, unknown>][] = [
    [
      'image',
      { image: bytes, caption: 'look', ...thumbnail },
      { mimetype: 'image/jpeg', caption: 'look', text: 'look' },
    ],
    ['video', { video: bytes, gifPlayback: true, ...thumbnail }, { mimetype: 'video/mp4', gifPlayback: true }],
    ['audio', { audio: bytes, ptt: true, seconds: 3, mimetype: 'audio/ogg; codecs=opus' }, { ptt: true, seconds: 3 }],
    [
      'document',
      { document: bytes, mimetype: 'application/pdf', fileName: 'bill.pdf', caption: 'due' },
      { mimetype: 'application/pdf', fileName: 'bill.pdf', caption: 'due' },
    ],
    ['sticker', { sticker: bytes, ...thumbnail }, { mimetype: 'image/webp' }],
  ]

  test.each(
    UPLOADS,
  )('%s from Baileys: uploaded without TLS, shown by the phone, and its MAC holds', async (kind, content, shown) => {
    const seen = (await simulation.inbox(BOB)).messages.length
    const sent = await client.socket.sendMessage(jid, content)
    const id = sent?.key.id ?? ''
    const message = (await simulation.inbox(BOB, seen + 1)).messages.find((each) => each.id === id)
    expect(message).toMatchObject({ kind, fileLength: bytes.length, fileSha256: sha256(bytes), ...shown })
    expect(message).toMatchObject({ url: expect.stringContaining(message?.directPath ?? 'no path') })
    const response = await fetch(`${simulation.server.controlUrl}/phones/${BOB}/inbox/${id}/media`)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test.each([
    'image',
    'video',
    'audio',
    'document',
    'sticker',
  ])('%s from a phone: downloaded by direct path', async (kind) => {
    const { id } = await simulation.sendMessage(BOB, { to: ALICE, kind, data: bytes.toString('base64') })
    const message = await client.message(id)
    expect(sha256(bytes)).toBe(Buffer.from(mediumOf(message).fileSha256 ?? []).toString('base64'))
    expect((await download(message)).equals(bytes)).toBe(true)
  })

  test('the address in the message works by itself where no direct path is given, in ranges as well', async () => {
    const { id } = await simulation.sendMessage(BOB, { to: ALICE, kind: 'document', data: bytes.toString('base64') })
    const { mediaKey, url } = mediumOf(await client.message(id))
    const medium = { mediaKey, url }
    const parts: Buffer[] = []
    for await (const chunk of await downloadContentFromMessage(medium, 'document', { startByte: 100, endByte: 300 })) {
      parts.push(chunk as Buffer)
    }
    expect(Buffer.concat(parts).equals(bytes.subarray(100, 300))).toBe(true)
    const response = await fetch(url ?? '', { headers: { range: 'bytes=999999-' } })
    expect([response.status, response.headers.get('content-range')]).toEqual([
      416,
      expect.stringMatching(/^bytes \*\/\d+$/),
    ])
  })

  test('an upload needs the auth of media_conn and bytes that have the digest in the path', async () => {
    const { auth } = await client.socket.refreshMediaConn()
    const upload = (token: string, query: string) =>
      fetch(`${simulation.server.controlUrl}/mms/image/${token}?${query}`, { method: 'POST', body: bytes })
    const token = createHash('sha256').update(bytes).digest('base64url')
    expect((await upload(token, 'auth=other')).status).toBe(401)
    expect((await upload(createHash('sha256').digest('base64url'), `auth=${auth}`)).status).toBe(400)
    expect(await (await upload(token, `auth=${auth}`)).json()).toMatchObject({
      direct_path: expect.stringContaining(token),
    })
  })

  test('an expired medium is 410 until the phone uploads it again; one that is gone stays gone', async () => {
    const { id } = await simulation.sendMessage(BOB, { to: ALICE, kind: 'image', data: bytes.toString('base64') })
    const message = await client.message(id)
    const medium = simulation.mediumId(mediumOf(message).directPath)
    await simulation.call('POST', `/media/${medium}/expire`)
    await expect(download(message)).rejects.toMatchObject({ output: { statusCode: 410 } })
    const updated = await client.socket.updateMediaMessage(message)
    expect((await download(updated)).equals(bytes)).toBe(true)

    for (const each of [medium, simulation.mediumId(mediumOf(updated).directPath)]) {
      await simulation.call('DELETE', `/media/${each}`)
    }
    await expect(download(updated)).rejects.toMatchObject({ output: { statusCode: 404 } })
    await expect(client.socket.updateMediaMessage(message)).rejects.toMatchObject({ output: { statusCode: 404 } })
  })

  test('an upload that breaks off leaves nothing behind', async () => {
    const listed = async () => (await simulation.call<{ media: unknown[] }>('GET', '/media')).body.media.length
    const before = await listed()
    const { auth } = await client.socket.refreshMediaConn()
    const token = createHash('sha256').update(bytes).digest('base64url')
    const { hostname, port } = new URL(simulation.server.controlUrl)
    const headers = { 'content-length': bytes.length }
    const upload = request({ hostname, port, path: `/mms/image/${token}?auth=${auth}`, method: 'POST', headers })
    const ended = new Promise((resolve) => upload.on('close', resolve).on('error', () => undefined))
    upload.write(bytes.subarray(0, 100), () => upload.destroy())
    await ended
    await vi.waitFor(async () => {
      const left = await readdir(join(stateDir, 'media'))
      expect(left.filter((file) => file.endsWith('.part'))).toEqual([])
    })
    expect(await listed()).toBe(before)
  })

  test('the media host can refuse for a while', async () => {
    await simulation.fault({ kind: 'refuse-media', status: 503, direction: 'upload', count: 1, target: { all: true } })
    await expect(client.socket.sendMessage(jid, { sticker: bytes, ...thumbnail })).rejects.toThrow('upload failed')
    const sent = await client.socket.sendMessage(jid, { sticker: bytes, ...thumbnail })
    expect(sent?.message?.stickerMessage?.directPath).toBeDefined()
  })

  test(
    '100 MB pass without a copy in memory, and media survive a restart of the server',
    { timeout: 60_000 },
    async () => {
      const path = join(stateDir, 'large')
      await writeFile(path, Buffer.alloc(LARGE, 'large'))
      const before = process.memoryUsage().arrayBuffers
      const sent = await client.socket.sendMessage(jid, { document: { url: path }, mimetype: 'application/zip' })
      // Client and server are one process here: neither keeps the file.
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 1024 * 1024)
      await client.stop()
      await simulation.server.close()

      simulation = await Simulation.start({ stateDir })
      const { mediaKey, directPath } = sent?.message?.documentMessage ?? {}
      const url = `${simulation.server.controlUrl}${directPath}`
      let length = 0
      for await (const chunk of await downloadContentFromMessage({ mediaKey, url }, 'document')) {
        length += (chunk as Buffer).length
      }
      expect(length).toBe(LARGE)
    },
  )
})

test.each<[header: string | undefined, expected: ReturnType<typeof rangeOf>]>([
  [undefined, undefined],
  ['bytes=0-', { start: 0, end: 99 }],
  ['bytes=10-19', { start: 10, end: 19 }],
  ['bytes=90-200', { start: 90, end: 99 }],
  ['bytes=-5', { start: 95, end: 99 }],
  ['bytes=-500', { start: 0, end: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=20-10', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=1-2,4-5', undefined],
  ['lines=1-2', undefined],
])('of 100 bytes the range %s is %o', (header, expected) => {
  expect(rangeOf(header, 100)).toEqual(expected)
})
