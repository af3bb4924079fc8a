/** A real browser with the console in it, and what goes wrong there without anybody seeing it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

/** Screenshots of the last run; not in the repository. */
export const artefacts = join(dirname(fileURLToPath(import.meta.url)), '../../artefacts/console')

export const desktop = { width: 1280, height: 860 } as const
export const phoneWide = { width: 390, height: 844 } as const

/** @throws {Error} where neither Chromium nor Chrome is installed; `npm test` installs it where it can */
export function launchBrowser(): Promise<Browser> {
  mkdirSync(artefacts, { recursive: true })
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const path = names.map((name) => spawnSync('which', [name], { encoding: 'utf8' }).stdout?.trim()).find(Boolean)
  return chromium.launch({
    ...(path === undefined ? { channel: 'chrome' } : { executablePath: path }),
    // Without a sandbox of its own it also runs as root; it sees no page but ours.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
}

export interface Tab {
  readonly page: Page
  readonly context: BrowserContext
  /** What the content security policy refused, and what no code of the page caught. */
  readonly wrongs: readonly string[]
  /** Presses of a mouse button or finger since the page was loaded. */
  presses(): Promise<number>
}

/**
 * A person's own browser window.
 *
 * @param prepare before the page is loaded
 */
export async function openTab(
  browser: Browser,
  url: string,
  prepare: (context: BrowserContext) => Promise<void> = async () => undefined,
): Promise<Tab> {
  const context = await browser.newContext({ viewport: desktop, colorScheme: 'light', locale: 'en-GB' })
  await prepare(context)
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const wrongs: string[] = []
  page.on('pageerror', (error) => wrongs.push(`not caught: ${error.message}`))
  page.on('console', (message) => {
    if (/content security policy|securitypolicyviolation/i.test(message.text())) wrongs.push(message.text())
  })
  await page.addInitScript(() => {
    const here = globalThis as unknown as Window
    here.presses = 0
    here.addEventListener('pointerdown', ({ isTrusted }) => {
      if (isTrusted) here.presses += 1
    })
    here.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`securitypolicyviolation: ${violatedDirective} ${blockedURI}`)
    })
  })
  await page.goto(url)
  return {
    page,
    context,
    wrongs,
    presses: () => page.evaluate(() => (globalThis as unknown as Window).presses),
  }
}

/** As much of the page's own `window` as is used here. */
interface Window {
  presses: number
  addEventListener(
    name: string,
    listener: (event: {
      readonly isTrusted: boolean
      readonly violatedDirective: string
      readonly blockedURI: string
    }) => void,
  ): void
}

/** Presses Tab until what has the focus is called `name`, as a person without a mouse would. */
export async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const seen: string[] = []
  for (let steps = 0; steps < 60; steps++) {
    await page.keyboard.press('Tab')
    const focused = page.locator('*:focus')
    const found = await focused.ariaSnapshot().catch(() => '')
    seen.push(found.split('\n')[0] ?? '')
    if (typeof name === 'string' ? found.includes(`"${name}"`) : name.test(found)) return
  }
  throw new Error(`the focus never came to ${name}; it went to ${[...new Set(seen)].join(', ')}`)
}
