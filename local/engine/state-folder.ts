/** What is kept of one start for the next, beside what the emulators keep by themselves. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What `fresh` forgets. Built images and assemblies hold no state and stay. */
const STATE = ['dynamodb', 's3', 'secrets.json', 'checkpoints.json', 'whatsapp', 'demo.json', 'kms-secret']

export function forgetState(stateDir: string): void {
  for (const name of STATE) rmSync(join(stateDir, name), { recursive: true, force: true })
}

const portFile = (stateDir: string): string => join(stateDir, 'front-port')

export function keepPort(stateDir: string, port: number): void {
  writeFileSync(portFile(stateDir), String(port))
}

/** The front's port of the last start: URLs that were given out stay good. */
export function readPort(stateDir: string): number | undefined {
  const file = portFile(stateDir)
  const port = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

/** What stands for the key in KMS: made at the first start, then the same. */
export function kmsSecret(stateDir: string): string {
  const file = join(stateDir, 'kms-secret')
  if (!existsSync(file)) {
    mkdirSync(stateDir, { recursive: true })
    writeFileSync(file, crypto.randomUUID(), { mode: 0o600 })
  }
  return readFileSync(file, 'utf8')
}
