import { parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { z } from 'zod'

const phoneNumberExpected = 'a phone number such as +94714515253'
const recipientExpected = 'a phone number such as +94714515253, or a WhatsApp JID'

/**
 * E.164 of what a caller may write: `+94714515253`, `94714515253`, `0094714515253`, with spaces, dashes, dots and
 * brackets, or a phone number's JID. Undefined for what cannot be a phone number.
 */
export function normalizePhoneNumber(text: string): string | undefined {
  const jid = /^(\d{5,20})(?::\d{1,3})?@(?:s\.whatsapp\.net|c\.us)$/.exec(text.trim())
  const digits = (jid?.[1] ?? text).trim().replace(/[\s().-]/g, '')
  if (!/^(?:\+|00)?\d{5,20}$/.test(digits)) return undefined
  const parsed = parsePhoneNumberFromString(`+${digits.replace(/^(?:\+|00)/, '')}`)
  return parsed?.isPossible() ? parsed.number : undefined
}

/** `to`: as it is stored and shown; `chat`: the JID that a message goes to. */
export interface Recipient {
  readonly to: string
  readonly chat: string
}

/** Accepts what `normalizePhoneNumber` does, and JIDs of groups (`…@g.us`) and of LIDs (`…@lid`), which stay JIDs. */
export function parseRecipient(text: string): Recipient | undefined {
  const trimmed = text.trim()
  if (/^\d{5,30}(?:-\d{5,20})?@g\.us$/.test(trimmed) || /^\d{5,30}@lid$/.test(trimmed)) {
    return { to: trimmed, chat: trimmed }
  }
  const to = normalizePhoneNumber(trimmed)
  return to === undefined ? undefined : { to, chat: `${to.slice(1)}@s.whatsapp.net` }
}

/** Parses to E.164. */
export const phoneNumberSchema = z
  .string({ error: `expected ${phoneNumberExpected}` })
  .max(64)
  .transform((text, context): string => {
    const phoneNumber = normalizePhoneNumber(text)
    if (phoneNumber !== undefined) return phoneNumber
    context.addIssue({ code: 'custom', message: 'is not a phone number', params: { expected: phoneNumberExpected } })
    return z.NEVER
  })
  .meta({ description: 'Phone number: E.164, bare digits, or a JID.', example: '+94714515253' })

/** Parses to a `Recipient`. */
export const recipientSchema = z
  .string({ error: `expected ${recipientExpected}` })
  .max(64)
  .transform((text, context): Recipient => {
    const recipient = parseRecipient(text)
    if (recipient !== undefined) return recipient
    context.addIssue({
      code: 'custom',
      message: 'is neither a phone number nor a JID',
      params: { expected: recipientExpected },
    })
    return z.NEVER
  })
  .meta({ description: 'Recipient: a phone number (E.164, bare digits) or a JID.', example: '+94714515253' })
