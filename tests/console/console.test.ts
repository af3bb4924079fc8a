import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import { DEMO_PHONES, demoPhones } from '../../local/demo.ts'
import { type Phones, phones, rest } from '../end-to-end/callers.ts'
import { type RunningPlace, startPlace } from '../end-to-end/place.ts'
import { type RunningProvider, signInSetting, startProvider } from '../sign-in/provider.ts'
import { artefacts, launchBrowser, openTab, type Tab, tabTo } from './browser.ts'
import { look } from './look.ts'

const { business, customer } = DEMO_PHONES
const second = '+4915112345678'
/** A whole PNG file. */
const onePixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

/** The console in a real browser, as `npm start` gives it to a newcomer; one story, each step going on from the one before. */
describe('the console', () => {
  let place: RunningPlace
  let simulated: Phones
  let provider: RunningProvider
  let browser: Browser
  let tab: Tab
  let page: Page
  let apiKey = ''
  /** Takes whatever is posted. */
  const shop = createServer((request, response) => request.resume().on('end', () => response.writeHead(204).end()))

  beforeAll(async () => {
    rmSync(artefacts, { recursive: true, force: true })
    provider = await startProvider()
    const settings = { signIn: signInSetting }
    ;[place, browser] = await Promise.all([
      startPlace({ targets: 'any', settings, template: provider.template }),
      launchBrowser(),
    ])
    simulated = phones(place.simulatorUrl)
    await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve))
    await demoPhones(place.simulatorUrl)
    const admin = rest(place.httpUrl, place.adminApiKey)
    const profile = await admin.post('/admin/business-profiles', { name: 'Demo' })
    const key = await admin.post(`/admin/business-profiles/${profile.body.businessProfileId}/api-keys`, {})
    apiKey = key.body.apiKey
    const businessProfileId: string = profile.body.businessProfileId
    provider.serve(consoleUrl(), {
      ada: { app: { profile: businessProfileId, roles: ['staff'] } },
      root: { app: { roles: ['ops'] } },
      mallory: { app: { profile: 'bp_of_somebody', roles: ['staff'] } },
    })
    tab = await openTab(browser, consoleUrl(), withoutProvider)
    page = tab.page
  })
  let failed = false
  beforeEach((context) => {
    context.skip(failed, 'an earlier step failed')
    onTestFailed(async () => {
      failed = true
      await page?.screenshot({ path: `${artefacts}/failed.png` })
    })
  })
  afterAll(async () => {
    shop.close()
    shop.closeAllConnections()
    await browser?.close()
    await place?.stop()
    await provider?.stop()
  })

  const consoleUrl = (): string => {
    const { consoleUrl } = place.local
    if (consoleUrl === undefined) throw new Error('local mode has no console')
    return consoleUrl
  }
  const button = (name: string | RegExp): Locator => page.getByRole('button', { name, exact: true })
  const heading = (name: string): Locator => page.getByRole('heading', { name, exact: true })
  const goTo = (name: string): Promise<void> =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click()
  const expectWell = async (name: string) => expect(await look(page, name)).toEqual([])

  it('says that a key is wrong, takes the right one, and forgets it at sign-out', async () => {
    const field = page.getByLabel('API key')
    await field.fill('hf_wrong')
    await field.press('Enter')
    await page.getByRole('alert').getByText('The key was not accepted').waitFor()
    await expectWell('sign-in')
    await field.fill(apiKey)
    await button('Sign in').click()
    await heading('No phone is linked yet').waitFor()
    await button('Sign out').click()
    await field.waitFor()
    await page.reload()
    await field.waitFor()
  })

  it('takes a newcomer from the first page to a message on the phone in under ten clicks', async () => {
    place.local.tellConsole({ apiKey, adminApiKey: place.adminApiKey, customer })
    await page.reload()
    await heading('No phone is linked yet').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await expectWell('connections-empty')
    const before = await tab.presses()

    await button('Link the first phone').click()
    await button('Continue').click()
    await button('Scan it').click()
    await page.getByText('No messages yet. Write the first one.').waitFor()
    await button('Open').click()
    await page.keyboard.type('Your tea is ready.')
    await button('Send').click()
    await page.getByRole('img', { name: 'Read' }).waitFor()

    expect((await tab.presses()) - before).toBeLessThan(10)
    const inbox = await simulated.inbox(customer, 1)
    expect(inbox.at(-1)).toMatchObject({ text: 'Your tea is ready.' })
    await page.locator('.status', { hasText: 'Connected' }).waitFor()
  })

  it('shows what comes in, and what is done to messages', async () => {
    await simulated.send(customer, business, 'Thank you, on my way!')
    await page.getByRole('log').getByText('Thank you, on my way!').waitFor()
    const bubble = page.locator('.bubble.outbound').first()
    await bubble.locator('summary').click()
    await bubble.getByRole('button', { name: 'Edit' }).click()
    await page.getByLabel('New text').fill('Your tea is served.')
    await button('Change').click()
    await bubble.getByText('Your tea is served.').waitFor()
    await expectWell('chat')
  })

  it('shows a lost connection, the time until the next attempt, and its healing, live', async () => {
    await goTo('Simulated phones')
    await page.getByText('1 of 1 connections are connected').waitFor()
    await button('Refuse everybody for a minute').click()
    await page.getByText('at work: refuse-upgrade').waitFor()
    await button('Drop every socket').click()
    await page.getByText('0 of 1 connections are connected').waitFor()
    await expectWell('phones')
    await goTo('Connections')
    await page.locator('.status', { hasText: 'Reconnecting' }).waitFor()
    await countsDown(page.getByText(/Attempt \d of 5, in \d+ s/))
    await expectWell('connections-reconnecting')
    await goTo('Simulated phones')
    await button('End all faults').click()
    await page.getByText('1 of 1 connections are connected').waitFor()
    await goTo('Connections')
    await page.locator('.status', { hasText: 'Connected' }).waitFor()
  })

  it('says when the browser is offline, and has what was missed when it is back', async () => {
    await page.getByRole('link', { name: 'Primary Device' }).click()
    await page.getByRole('button', { name: /Thank you|Reacted|Edited/ }).click()
    await tab.context.setOffline(true)
    await page.getByRole('alert').getByText('You are offline').waitFor()
    await expectWell('offline')
    await simulated.send(customer, business, 'Are you there?')
    await tab.context.setOffline(false)
    await page.getByRole('log').getByText('Are you there?').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  it('is used by keyboard alone: a phone is linked by code, a message is sent', async () => {
    await simulated.create(second)
    await goTo('Connections')
    await page.reload()
    await heading('Primary Device').waitFor()
    await tabTo(page, 'Link a phone')
    await page.keyboard.press('Enter')
    await page.keyboard.type('Second Device')
    await tabTo(page, 'Scan a QR code with the phone')
    await page.keyboard.press('ArrowDown')
    await tabTo(page, 'Phone number')
    await page.keyboard.type(second)
    await expectWell('link-dialog')
    await page.keyboard.press('Enter')
    await page.getByText(/Valid for \d+ s/).waitFor()
    await expectWell('link-by-code')
    await tabTo(page, 'Enter the code')
    await page.keyboard.press('Enter')
    await page.locator('.status', { hasText: 'Connected' }).waitFor()
    await tabTo(page, 'Write to')
    await page.keyboard.press('Control+A')
    await page.keyboard.type(customer)
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: `Chat with ${customer}` }).waitFor()
    const before = (await simulated.inbox(customer, 0)).length
    await page.keyboard.type('Without a mouse.')
    await page.keyboard.press('Enter')
    expect((await simulated.inbox(customer, before + 1)).at(-1)).toMatchObject({ text: 'Without a mouse.' })
    await page.getByRole('log').getByText('Without a mouse.').waitFor()
  })

  it('shows a QR code that is renewed, with the time until then', async () => {
    await goTo('Connections')
    await button('Link a phone').click()
    await page.getByLabel('Name').fill('Third Device')
    await button('Continue').click()
    await page.getByRole('img', { name: 'QR code to scan with WhatsApp' }).waitFor()
    await countsDown(page.getByText(/A new code comes in \d+ s/))
    await expectWell('link-by-qr')
    await button('Cancel').click()
    await goTo('Connections')
    await expectWell('connections')
  })

  it('tells what happens, and waits while somebody reads', async () => {
    await goTo('Events')
    const list = page.locator('.events')
    await list.getByText('whatsapp-connected').first().waitFor()
    await button('Pause').click()
    await simulated.send(customer, business, 'One more cup, please.')
    await button(/Go on \(\d+ new\)/).click()
    await page.getByLabel('Contains').fill('one more cup')
    await list.getByText('One more cup, please.').first().waitFor()
    await expectWell('events')
    await button('Clear').click()
    await heading('Nothing has happened yet').waitFor()
    await expectWell('events-empty')
  })

  it('sends a file with its progress, and shows a picture that came in', async () => {
    await goTo('Connections')
    await page.getByRole('link', { name: 'Primary Device' }).click()
    await page.locator('.chat-list li button').first().click()
    await page.getByLabel('Kind of message').selectOption('File')
    const picture = Buffer.from(onePixel, 'base64')
    const upload = page.waitForRequest((request) => request.method() === 'PUT')
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles({ name: 'tea.png', mimeType: 'image/png', buffer: picture })
    await page.getByLabel('Caption').fill('The tea of the day')
    const before = (await simulated.inbox(customer, 0)).length
    await button('Send').click()
    await upload
    expect((await simulated.inbox(customer, before + 1)).at(-1)).toMatchObject({
      kind: 'image',
      text: 'The tea of the day',
    })
    const control = rest(place.simulatorUrl)
    const from = customer.replace('+', '')
    const answer = await control.post(`/phones/${from}/messages`, {
      to: business.replace('+', ''),
      kind: 'image',
      data: onePixel,
      mimetype: 'image/png',
      caption: 'My cup',
    })
    expect(answer.status).toBe(201)
    const bubble = page.locator('.bubble.inbound', { hasText: 'My cup' })
    await bubble.getByRole('button', { name: /Show/ }).click()
    const image = bubble.getByRole('img', { name: 'My cup' })
    await image.waitFor()
    await expect
      .poll(() => image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth), {
        timeout: 60_000,
      })
      .toBeGreaterThan(0)
    await expectWell('chat-media')
  })

  it('makes a webhook, shows its secret once, and logs what became of a test', async () => {
    await goTo('Webhooks')
    await heading('No webhook yet').waitFor()
    await expectWell('webhooks-empty')
    await button('New webhook').click()
    await page.getByLabel('Address').fill(`http://127.0.0.1:${(shop.address() as AddressInfo).port}/hooks`)
    await page.getByLabel('Label').fill('Shop')
    await expectWell('webhook-dialog')
    await button('Create').click()
    expect(await page.locator('.secret').innerText()).toMatch(/^whsec_/)
    await button('I have it').click()
    await page.getByRole('link', { name: 'Shop' }).waitFor()
    await expectWell('webhooks')
    await page.getByRole('link', { name: 'Shop' }).click()
    await button('Send a test').click()
    await page.getByText(/^Delivered: 204 after/).waitFor()
    await page.getByRole('row', { name: /webhook-test 1 Delivered, 204/ }).waitFor()
    await button('Pause').click()
    await page.locator('.status', { hasText: 'Paused' }).waitFor()
    await button('Replay').click()
    await page.getByText('No event of that time was given up.').waitFor()
    await expectWell('webhook')
    await button('Resume').click()
    await page.locator('.status', { hasText: /Active|Failing/ }).waitFor()
    await button('Rotate the secret').click()
    await button('Make a new one').click()
    expect(await page.locator('.secret').innerText()).toMatch(/^whsec_/)
    await button('I have it').click()
    await button('Delete').click()
    await button('Delete for good').click()
    await heading('No webhook yet').waitFor()
  })

  it('shows the fleet to whoever has the admin key', async () => {
    await goTo('Fleet')
    await page.getByText(/1 worker holds \d+ connections; 16 of 16 partitions have an owner/).waitFor()
    await page.getByRole('progressbar', { name: /^Load of/ }).waitFor()
    await expectWell('fleet')
  })

  it('makes, shows once and revokes a key', async () => {
    await page.route('**/api-keys', (route) => route.abort())
    await goTo('API keys')
    await page.getByRole('alert').getByText('The keys cannot be shown').waitFor()
    await expectWell('keys-error')
    await page.unroute('**/api-keys')
    await button('Try again').click()
    await page.getByRole('row', { name: /default.*Active/ }).waitFor()
    await button('New key').click()
    await page.getByLabel('Label').fill('Shop')
    await expectWell('key-dialog')
    await button('Create').click()
    const key = await page.locator('.secret').innerText()
    expect((await rest(place.httpUrl, key).get('/connections')).status).toBe(200)
    await expectWell('key-secret')
    await button('I have it').click()
    await expectWell('keys')
    await button('Revoke Shop').click()
    await button('Revoke').click()
    await page.getByRole('row', { name: /Shop.*Revoked/ }).waitFor()
  })

  it('shows dead letters, queue by queue', async () => {
    await goTo('Dead letters')
    await button(/Look at them/)
      .first()
      .click()
    await heading('This queue is empty').waitFor()
    await expectWell('dead-letters')
  })

  it('shows a connection in detail, and an address that leads nowhere', async () => {
    await goTo('Connections')
    await page.getByRole('link', { name: 'Primary Device' }).click()
    await page.getByRole('link', { name: 'Details' }).click()
    await page.getByText(/^connected \/ /).waitFor()
    await expectWell('details')
    await page.goto(`${consoleUrl()}/#/nowhere`)
    await heading('There is no such page').waitFor()
    await expectWell('nowhere')
  })

  describe('with a sign-in provider', () => {
    let own: Tab
    const authorizations = new Set<string>()
    const keys = new Set<string>()
    const signInAs = async (who: string): Promise<void> => {
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await page.getByPlaceholder('Enter any login').fill(who)
      await page.getByPlaceholder('and password').fill('secret')
      await page.getByRole('button', { name: 'Sign-in' }).click()
    }
    const signOut = async (): Promise<void> => {
      await button('Sign out').click()
      await page.getByRole('button', { name: 'Yes, sign me out' }).click()
      await button('Sign in').waitFor()
    }
    beforeAll(async () => {
      own = await openTab(browser, consoleUrl(), withoutThisMachine)
      page = own.page
      page.on('request', async (request) => {
        const { authorization, 'x-api-key': key } = await request.allHeaders().catch(() => ({}) as never)
        if (authorization !== undefined) authorizations.add(authorization)
        if (key !== undefined) keys.add(key)
      })
    })
    afterAll(async () => {
      await own?.context.close()
    })

    it('a person signs in at the provider and is where they wanted to go, live, without any key', async () => {
      await page.goto(`${consoleUrl()}/#/events`)
      await button('Sign in').waitFor()
      await expectWell('sign-in-provider')
      await signInAs('ada')
      await heading('Events').waitFor()
      await page.getByText('Live', { exact: true }).waitFor()
      await page.getByText('ada of the tests').waitFor()
      expect(page.url()).toBe(`${consoleUrl()}/#/events`)
      await goTo('Connections')
      await page.getByRole('link', { name: 'Primary Device' }).waitFor()
      await expectWell('connections-provider')
      const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
      expect(kept).not.toContain(apiKey)
      expect(kept).not.toContain(place.adminApiKey)
      expect(kept).toContain('oidc.user')
      expect(await page.evaluate(() => localStorage.length)).toBe(0)
      expect([...keys]).toEqual([])
      const [bearer = ''] = authorizations
      expect(bearer).toMatch(/^Bearer ey/)
      const asked = async (authorization: string) =>
        (await fetch(`${place.httpUrl}/connections`, { headers: { authorization } })).status
      expect(await asked(bearer)).toBe(200)
      expect(await asked(`${bearer.slice(0, -8)}AAAAAAAA`)).toBe(401)
    })

    it('a reload goes on, a token that ends is renewed without leaving the page', async () => {
      await page.reload()
      await page.getByRole('link', { name: 'Primary Device' }).waitFor()
      provider.tokensLast(20)
      await signOut()
      await signInAs('ada')
      await page.getByRole('link', { name: 'Primary Device' }).waitFor()
      await expect.poll(() => provider.renewals(), { timeout: 60_000 }).toBeGreaterThan(0)
      await page.getByRole('link', { name: 'Primary Device' }).click()
      await page.locator('.chat-list li button').first().click()
      await page.getByRole('log').getByText('Are you there?').waitFor()
    })

    it('a sign-in that the provider ends is said, and after another goes on where it was', async () => {
      provider.renew(false)
      await goTo('Webhooks')
      await page.locator('.banner').getByText('Your sign-in has ended').waitFor()
      await expectWell('sign-in-ended')
      provider.tokensLast(3_600)
      await button('Sign in again').click()
      await heading('No webhook yet').waitFor()
      await signOut()
    })

    it('who belongs to nothing here is told so, and may be somebody else', async () => {
      await signInAs('mallory')
      await page.getByText('You are signed in as mallory of the tests, but nothing here is open to you.').waitFor()
      await page.getByRole('alert').getByText('Your account has no access to a business profile').waitFor()
      await expectWell('sign-in-refused')
      await signOut()
    })

    it('an operator who belongs to no business profile has the pages of operators', async () => {
      await signInAs('root')
      await page.getByText(/1 worker holds \d+ connections/).waitFor()
      const links = page.getByRole('navigation', { name: 'Main' }).getByRole('link')
      expect(await links.allInnerTexts()).toEqual(['Fleet', 'Dead letters'])
      await goTo('Dead letters')
      await button(/Look at them/)
        .first()
        .waitFor()
      await expectWell('operator')
      await signOut()
    })

    it('kept to the content security policy', () => {
      expect(own.wrongs).toEqual([])
    })
  })

  it('kept to its content security policy, and every error was caught', () => {
    expect(tab.wrongs).toEqual([])
  })
})

/** As a deployment without one has it. */
async function withoutProvider(context: BrowserContext): Promise<void> {
  await context.route('**/config.json', async (route) => {
    const answer = await route.fetch()
    const { signIn: _, ...config } = await answer.json()
    await route.fulfill({ response: answer, json: config })
  })
}

/** As on a machine that is not one's own; and the provider's page looks for its letters on the Internet. */
async function withoutThisMachine(context: BrowserContext): Promise<void> {
  await context.route('**/_local/console.json', (route) => route.fulfill({ status: 404 }))
  await context.route('https://fonts.googleapis.com/**', (route) => route.abort())
}

/** A number of seconds is seen, and then a lower one; between them another count may have begun. */
async function countsDown(shown: Locator): Promise<void> {
  let last = 0
  await expect
    .poll(
      async () => {
        const before = last
        last = Number(/(\d+) s$/.exec(await shown.first().innerText())?.[1])
        return last < before
      },
      { timeout: 60_000, interval: 100 },
    )
    .toBe(true)
}
