import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../browser/browser.ts'
import { folderWithClient, root } from '../client/packed.ts'
import { phones, rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'

let place: RunningPlace
let clean: ReturnType<typeof folderWithClient>
let browser: Browser
let backend: ChildProcess
beforeAll(async () => {
  clean = folderWithClient()
  browser = await openBrowser()
  place = await startPlace()
})
afterAll(async () => {
  backend?.kill()
  await browser?.close()
  await place?.stop()
  clean?.remove()
})

it('the example page links a phone by its QR code, sends, and shows what happens as it happens', async () => {
  const simulated = phones(place.simulatorUrl)
  await simulated.create('+4915112345678', { name: 'Tea House', business: true })
  await simulated.create('+94714515253', { name: 'Ada' })
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Tea House' })
  const { body: key } = await admin.post(`/admin/business-profiles/${profile.businessProfileId}/api-keys`, {
    label: 'page',
  })
  backend = spawn(process.execPath, [join(root, 'docs/examples/frontend/server.mjs')], {
    env: {
      HOLDFAST_URL: place.httpUrl,
      HOLDFAST_API_KEY: key.apiKey,
      HOLDFAST_CLIENT: join(clean.folder, 'node_modules/@holdfast/client/index.js'),
      PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = await once(createInterface(backend.stdout as NodeJS.ReadableStream), 'line')

  const page = await browser.newPage({ viewport: { width: 800, height: 900 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.goto(url)
  await page.getByText('live', { exact: true }).waitFor()
  await page.getByLabel('Label').fill('Primary Device')
  await page.getByRole('button', { name: 'Link a phone' }).click()
  await page.waitForFunction('document.querySelector("img.qr")?.naturalWidth > 0')
  const tenant = rest(place.httpUrl, key.apiKey)
  const { body: listed } = await tenant.get('/connections')
  const { body: shown } = await tenant.get(`/connections/${listed.items[0].connectionId}/qr`)
  await picture(page, 'qr')
  await simulated.scan('+4915112345678', shown.qr)
  await page.locator('.status.connected').waitFor({ timeout: 60_000 })
  expect(await page.locator('img.qr').count()).toBe(0)

  await page.getByLabel('To').fill('+94714515253')
  await page.getByLabel('Message', { exact: true }).fill('Your tea is ready.')
  await page.getByRole('button', { name: 'Send' }).click()
  await page
    .locator('#messages li', { hasText: 'Your tea is ready.' })
    .getByText(/delivered|read/)
    .waitFor({ timeout: 60_000 })
  await simulated.send('+94714515253', '+4915112345678', 'Thank you!')
  await page.locator('#messages li', { hasText: 'from Ada: Thank you!' }).waitFor({ timeout: 60_000 })
  await picture(page, 'connected')
  expect(complaints).toEqual([])
  expect(await page.content()).not.toContain(key.apiKey)
})

/** To look at, where somebody says into which folder. */
async function picture(page: { screenshot(options: { path: string }): Promise<unknown> }, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) })
}
