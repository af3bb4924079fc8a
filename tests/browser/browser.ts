import { spawnSync } from 'node:child_process'
import { isAbsolute } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { chromiumAdvice, findChromium } from '../../local/chromium.mjs'

/**
 * The machine's own Chromium, headless.
 *
 * @throws {Error} that says what to install where there is none; `npm test` installs it before
 */
export function openBrowser(): Promise<Browser> {
  const found = findChromium()
  if (found === undefined) throw new Error(chromiumAdvice)
  const executablePath = isAbsolute(found) ? found : spawnSync('which', [found], { encoding: 'utf8' }).stdout.trim()
  // Chromium's sandbox does not start for root, and a container's shared memory is small.
  const args = [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage']
  return chromium.launch({ executablePath, args, headless: true })
}
