/** Folders that are named by the hash of what they were made from: the newest few are kept. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

export function keepNewest(folder: string, count: number): void {
  if (!existsSync(folder)) return
  const entries = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats === undefined ? [] : [{ path, at: stats.mtimeMs }]
  })
  for (const { path } of entries.sort((left, right) => right.at - left.at).slice(count))
    rmSync(path, { recursive: true, force: true })
}
