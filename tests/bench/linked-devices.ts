/**
 * Linked devices for a bench: the simulated server's state folder and one snapshot of auth state for each device. Linking a
 * thousand takes minutes, so they are linked once and kept; every run works on a copy of the server's state.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { NodeProcess, root } from './children.ts'
import { type Simulator, startSimulator } from './simulator.ts'

export const phoneNumberOf = (index: number): string => `1555${String(index).padStart(7, '0')}`
export const snapshotFile = (index: number): string => `device-${String(index).padStart(5, '0')}`

export type DeviceRecords = readonly (readonly [key: string, text: string])[]

export interface LinkedDevice {
  readonly phoneNumber: string
  /** `15550000001:1@s.whatsapp.net` */
  readonly jid: string
  readonly lid: string
  /** The records of its auth state, as `connector/auth/records.ts` names them. */
  readonly records: DeviceRecords
}

export interface LinkedDevices {
  readonly devices: readonly LinkedDevice[]
  /** A copy of the server's state, so that a run leaves nothing to the next one. */
  serverState(): string
  dispose(): void
}

/** At least `count` linked devices, those missing being linked now. */
export async function linkedDevices(count: number, progress: (message: string) => void): Promise<LinkedDevices> {
  const folder = join(root, '.holdfast/bench/devices')
  const server = join(folder, 'server')
  const snapshots = join(folder, 'snapshots')
  mkdirSync(snapshots, { recursive: true })
  let have = 0
  while (existsSync(join(snapshots, snapshotFile(have)))) have++
  if (have < count) await link(server, snapshots, have, count - have, progress)
  const copies: string[] = []
  const devices = Array.from({ length: count }, (_, index) => {
    const records = readRecords(join(snapshots, snapshotFile(index)))
    const me = JSON.parse(new Map(records).get('creds/me') ?? '{}') as { id: string; lid: string }
    return { phoneNumber: `+${phoneNumberOf(index)}`, jid: me.id, lid: me.lid, records }
  })
  const dispose = (): void => {
    for (const copy of copies.splice(0)) rmSync(copy, { recursive: true, force: true })
  }
  process.on('exit', dispose)
  return {
    devices,
    serverState() {
      const copy = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
      copies.push(copy)
      cpSync(server, copy, { recursive: true })
      return copy
    },
    dispose,
  }
}

/** In a form of its own, so that it can be kept whatever becomes of the connector's. */
export function writeRecords(file: string, records: DeviceRecords): void {
  writeFileSync(file, deflateRawSync(JSON.stringify(records), { level: 1 }))
}

function readRecords(file: string): DeviceRecords {
  try {
    return JSON.parse(inflateRawSync(readFileSync(file)).toString()) as DeviceRecords
  } catch (error) {
    throw new Error(`${file} cannot be read: delete .holdfast/bench, and the devices are linked anew`, { cause: error })
  }
}

async function link(
  serverState: string,
  snapshots: string,
  first: number,
  count: number,
  progress: (message: string) => void,
): Promise<void> {
  progress(`linking ${count} devices, once: they are kept in .holdfast/bench`)
  if (first === 0 && existsSync(serverState)) rmSync(serverState, { recursive: true })
  const simulator: Simulator = await startSimulator(serverState, 'kept')
  try {
    const args = [simulator.url, simulator.control.url, simulator.rootKey, snapshots, String(first), String(count)]
    const linking = new NodeProcess('linking devices', ['tests/bench/pairing-process.ts', ...args], {})
    const reports = setInterval(() => progress(`linked ${first + linking.lines.length} of ${first + count}`), 10_000)
    const code = await linking.exited
    clearInterval(reports)
    if (code !== 0)
      throw new Error(`linking devices ended with ${code} after ${linking.lines.length}:\n${linking.tail.join('\n')}`)
  } finally {
    await simulator.stop()
  }
}
