/** What the control API takes and shows. */

import { z } from 'zod'
import { Problem } from './control-http.ts'
import type { Account } from './directory.ts'
import type { Fault } from './faults.ts'

export const phoneNumber = z
  .string()
  .transform((text) => text.replaceAll(/[+\s-]/g, ''))
  .pipe(z.string().regex(/^[1-9]\d{5,14}$/, 'expected 6 to 15 digits with country code'))

export const phoneSettings = z.strictObject({
  name: z.string().optional(),
  business: z.boolean().optional(),
  autoDeliver: z.boolean().optional(),
  autoRead: z.boolean().optional(),
  autoPlay: z.boolean().optional(),
  passkey: z.boolean().optional(),
  receiptsFrom: z.enum(['lid', 'pn']).optional(),
  history: z.boolean().optional(),
})
export const newPhone = phoneSettings.extend({ phoneNumber })
export const scan = z.strictObject({ qr: z.string() })
export const pairingCode = z.strictObject({ code: z.string() })
export const messageId = z.strictObject({ id: z.string() })

export function parse<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new Problem(400, 'invalid_request', z.prettifyError(parsed.error))
}

/** Without the fields that were left out. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

export function shownFault({ id, request, applied, expiresAt }: Fault) {
  const until = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString()
  return { id, ...request, applied, expiresAt: until }
}

export function shownPhone(account: Account) {
  const { phoneNumber: number, lid, phone } = account
  return { phoneNumber: number, lid, ...phone.settings, devices: shownDevices(account) }
}

export function shownDevices(account: Account) {
  return [...account.companions.values()].map((companion) => ({
    device: companion.address.device,
    key: companion.key,
    linkedAt: companion.linkedAt,
    connected: companion.connection !== undefined,
    preKeys: companion.preKeys.size,
    unacknowledged: companion.mailbox.size,
  }))
}
