import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Invocation } from '../../local/engine/functions/invocations.ts'
import type { AllowedRequest } from '../../local/engine/iam/ledger.ts'
import type { Local } from '../../local/engine/options.ts'

/** Each run of the product under test leaves what went through its wires; `mutate-all.ts` reads them all. */
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../.holdfast/used-wires')

export interface UsedWires {
  readonly allowed: readonly AllowedRequest[]
  readonly invocations: readonly Invocation[]
}

export function noteUsedWires({ allowed, invocations }: ReturnType<Local['calls']>): void {
  mkdirSync(folder, { recursive: true })
  const wires: UsedWires = { allowed, invocations }
  writeFileSync(join(folder, `${Date.now()}-${process.pid}.json`), JSON.stringify(wires))
}

/** Of all runs since the folder was last removed, with the times of the first and the last one that ended. */
export function usedWires(): UsedWires & { readonly runs: number; readonly from: Date; readonly to: Date } {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  const runs = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as UsedWires)
  const times = files.map((file) => Number.parseInt(file, 10))
  return {
    runs: runs.length,
    from: new Date(Math.min(...times)),
    to: new Date(Math.max(...times)),
    allowed: distinct(runs.flatMap(({ allowed }) => allowed)),
    invocations: distinct(runs.flatMap(({ invocations }) => invocations)),
  }
}

function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()]
}
