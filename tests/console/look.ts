/** How a page looks to those who see it, and to those who have it read to them. */
import { join } from 'node:path'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { artefacts, desktop, phoneWide } from './browser.ts'

interface Axe {
  run(options: object): Promise<{ violations: readonly Violation[] }>
}
interface Violation {
  readonly id: string
  readonly impact?: string | null
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/**
 * Looks at the page in light and dark and at a phone's width, and keeps a screenshot of each.
 *
 * @returns what axe finds serious or critical, and what is wider than the phone; empty when all is well
 */
export async function look(page: Page, name: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const [kind, size, colorScheme] of [
    ['light', desktop, 'light'],
    ['dark', desktop, 'dark'],
    ['phone', phoneWide, 'light'],
    ['phone-dark', phoneWide, 'dark'],
  ] as const) {
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    // Only colours change between light and dark.
    const only = kind === 'light' || kind === 'phone' ? undefined : ['color-contrast']
    found.push(...(await withAxe(page, only)).map((finding) => `${name}, ${kind}: ${finding}`))
    const width = await page.evaluate(
      () => (globalThis as unknown as { document: Document }).document.documentElement.scrollWidth,
    )
    if (width > size.width) found.push(`${name}, ${kind}: ${width} px wide, expected ${size.width}`)
    await page.screenshot({ path: join(artefacts, `${name}-${kind}.png`) })
  }
  await page.setViewportSize(desktop)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null })
  return found
}

interface Document {
  readonly documentElement: { readonly scrollWidth: number }
}

async function withAxe(page: Page, rules: readonly string[] | undefined): Promise<readonly string[]> {
  const isThere = await page.evaluate(() => 'axe' in globalThis)
  if (!isThere) await page.evaluate(axe.source)
  const { violations } = await page.evaluate(
    (only) =>
      (globalThis as unknown as { axe: Axe }).axe.run({
        resultTypes: ['violations'],
        ...(only === undefined ? {} : { runOnly: only }),
      }),
    rules,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}
