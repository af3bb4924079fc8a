/** One local mode per state folder. The lock is a file with the process id; a lock whose process is gone is taken over. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface StateLock {
  release(): void
}

/** @throws {Error} one sentence that names the other process */
export function lockState(stateDir: string): StateLock {
  // Keys and devices lie here.
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const file = join(stateDir, 'lock')
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const handle = openSync(file, 'wx')
      writeSync(handle, String(process.pid))
      closeSync(handle)
      return {
        release() {
          if (readOwner(file) === process.pid) rmSync(file, { force: true })
        },
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = readOwner(file)
    if (owner !== undefined && isAlive(owner)) {
      throw new Error(
        `The state folder ${stateDir} is in use by local mode with process id ${owner}: stop that one, or give this one a folder of its own with --state-dir.`,
      )
    }
    rmSync(file, { force: true })
  }
  throw new Error(`The state folder ${stateDir} could not be locked: another local mode starts at the same time.`)
}

function readOwner(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
