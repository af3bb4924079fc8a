/** Plain Baileys beside us: the same devices, the same server, the original elliptic curves. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeProcess } from './children.ts'
import type { LinkedDevice } from './linked-devices.ts'
import { writeMultiFile } from './multi-file.ts'

export const baselineTitle =
  'plain Baileys with its multi-file auth state and the original curve25519-js, 20 logins at a time, same Node, same server'

export interface Baseline {
  start(options: {
    readonly url: string
    readonly rootKey: string
    readonly count: number
    readonly node?: readonly string[]
  }): NodeProcess
  /** Another script of plain Baileys, on the original curves as well. */
  run(script: string, args: readonly string[], node?: readonly string[]): NodeProcess
  /** Has a folder for each device. */
  readonly folder: string
  dispose(): void
}

const loginsAtOnce = 20

export function baselineOf(devices: readonly LinkedDevice[]): Baseline {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const dispose = (): void => rmSync(folder, { recursive: true, force: true })
  process.on('exit', dispose)
  writeMultiFile(folder, devices)
  const run: Baseline['run'] = (script, args, node = []) =>
    new NodeProcess('plain Baileys', ['--import=./tests/bench/original-curve.ts', ...node, script, ...args], {
      NODE_ENV: 'production',
    })
  return {
    start: ({ url, rootKey, count, node = [] }) =>
      run('tests/bench/baseline-process.ts', [url, rootKey, folder, String(count), String(loginsAtOnce)], node),
    run,
    folder,
    dispose,
  }
}

/** Where its elliptic curves come from, as it said itself: a baseline with our drop-in would flatter nobody but itself. */
export async function assertOriginalCurve(baseline: NodeProcess): Promise<void> {
  const { file } = await baseline.says('its curve', ({ event }) => event === 'curve')
  if (!String(file).includes('curve25519-js-original')) throw new Error(`the baseline runs on ${file}`)
}
