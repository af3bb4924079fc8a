/** A browser for tests: where it is. Plain JavaScript, since it is asked for before anything is installed. */
import { spawnSync } from 'node:child_process'

const places = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** Program or path of the first browser that starts, `CHROMIUM` before all others; undefined where there is none. */
export function findChromium() {
  const own = process.env.CHROMIUM
  return (own ? [own] : places).find((place) => spawnSync(place, ['--version']).status === 0)
}

/** What a person has to do where none is found. */
export const chromiumAdvice =
  'Pages are tested in a real browser: install chromium (Debian, Ubuntu) or Google Chrome, or name one in CHROMIUM'
