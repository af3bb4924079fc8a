import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CallCount } from '../../local/engine/iam/ledger.ts'

/** Each run of the product under test leaves what its roles did; `unused-grants.ts` reads them all. */
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../.holdfast/used-grants')

export interface UsedGrant {
  readonly role: string
  readonly action: string
}

export function noteUsedGrants(counts: readonly CallCount[]): void {
  const used = counts.filter(({ allowed }) => allowed > 0).map(({ role, action }) => ({ role, action }))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${process.pid}-${Date.now()}.json`), JSON.stringify(used))
}

export function usedGrants(): readonly UsedGrant[] {
  return readdirSync(folder).flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as UsedGrant[])
}
