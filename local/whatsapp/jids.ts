/** Addresses: a phone number, the LID that stands for it, and the devices under both. */

import { createHash } from 'node:crypto'

/** One device of a number; device 0 is the phone itself. */
export interface DeviceAddress {
  phoneNumber: string
  device: number
}

export type JidServer = 's.whatsapp.net' | 'lid'

export interface ParsedJid {
  user: string
  device: number
  /** True where the address names its device, even device 0. */
  explicitDevice: boolean
  server: string
}

/** `15550001:3@s.whatsapp.net`, as well as `…@lid`, `…@g.us` and the bare server address with its empty user. */
export function parseJid(jid: string | undefined): ParsedJid | undefined {
  const match = /^([^:@]*)(?::(\d+))?@(.+)$/.exec(jid ?? '')
  if (!match) return undefined
  const [, user = '', device, server = ''] = match
  return { user, device: Number(device ?? 0), explicitDevice: device !== undefined, server }
}

export function formatJid(user: string, server: JidServer, device = 0): string {
  return device === 0 ? `${user}@${server}` : `${user}:${device}@${server}`
}

/** `15550001:3`, the way that faults and statistics name a device. */
export function deviceKey(address: DeviceAddress): string {
  return `${address.phoneNumber}:${address.device}`
}

/** A LID of 15 digits, the same for a number in every run, so that restored clients find the one they know. */
export function lidOf(phoneNumber: string): string {
  const digest = createHash('sha256').update(`lid:${phoneNumber}`).digest()
  return (100_000_000_000_000n + (digest.readBigUInt64BE(0) % 900_000_000_000_000n)).toString()
}
