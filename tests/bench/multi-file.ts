/** Linked devices in the folders that Baileys' `useMultiFileAuthState` reads. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BufferJSON } from '@whiskeysockets/baileys'
import { unpackKeyPair } from '../../connector/auth/records.ts'
import { decodeValue } from '../../shared/aws/auth-values.ts'
import type { LinkedDevice } from './linked-devices.ts'

export const deviceFolder = (index: number): string => `device-${index}`

/** A device has 812 one-time prekeys, a file each. Restoring reads the newest one; these are enough, and spare 800 files a device. */
const preKeysKept = 16

export function writeMultiFile(folder: string, devices: readonly LinkedDevice[]): void {
  for (const [index, device] of devices.entries()) {
    const place = join(folder, deviceFolder(index))
    mkdirSync(place, { recursive: true })
    const write = (name: string, value: unknown): void =>
      writeFileSync(
        join(place, `${name.replaceAll('/', '__').replaceAll(':', '-')}.json`),
        JSON.stringify(value, BufferJSON.replacer),
      )
    const creds: Record<string, unknown> = {}
    const preKeys: { readonly id: number; readonly text: string }[] = []
    for (const [key, text] of device.records) {
      const [kind = '', type = '', ...rest] = key.split('/')
      if (kind === 'creds') creds[type] = decodeValue(text)
      else if (type === 'pre-key') preKeys.push({ id: Number(rest.join('/')), text })
      else write(`${type}-${rest.join('/')}`, decodeValue(text))
    }
    write('creds', creds)
    preKeys.sort((a, b) => b.id - a.id)
    for (const { id, text } of preKeys.slice(0, preKeysKept)) write(`pre-key-${id}`, unpackKeyPair(text))
  }
}
