import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { folderWithClient, root } from '../client/packed.ts'
import { phones, rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'

let place: RunningPlace
let clean: ReturnType<typeof folderWithClient>
beforeAll(async () => {
  clean = folderWithClient()
  place = await startPlace()
})
afterAll(async () => {
  await place?.stop()
  clean?.remove()
})

it("the README's lines link a phone, send, and see the message arrive", async () => {
  const [, lines = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  expect(lines.trim().split('\n').length).toBeLessThanOrEqual(16)
  clean.write('readme.js', lines)
  const simulated = phones(place.simulatorUrl)
  await simulated.create('+4915112345678', { name: 'Tea House', business: true })
  await simulated.create('+94714515253', { name: 'Ada' })
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Tea House' })
  const key = await admin.post(`/admin/business-profiles/${profile.businessProfileId}/api-keys`, { label: 'readme' })
  const env = { PATH: process.env.PATH, URL: place.httpUrl, API_KEY: key.body.apiKey }
  const child = spawn(process.execPath, ['readme.js'], { cwd: clean.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  let complaints = ''
  child.stderr.on('data', (text) => {
    complaints += text
  })
  const said: string[] = []
  let scanned = false
  for await (const line of createInterface(child.stdout)) {
    said.push(line)
    const [, qr] = /^scan (.+)$/.exec(line) ?? []
    if (qr === undefined || scanned) continue
    scanned = true
    await simulated.scan('+4915112345678', qr)
  }
  expect([await exited, complaints]).toEqual([[0, null], ''])
  expect(said.at(-1)).toMatch(/^delivered 20\d\d-/)
  expect(await simulated.inbox('+94714515253', 1)).toMatchObject([{ text: 'Your order is on its way.' }])
})
