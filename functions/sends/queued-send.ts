import { type QueuedSend, queuedSendSchema } from '../../shared/api/messages.ts'
import { invalidRequest } from '../../shared/api/problems.ts'

export type ParsedSend =
  | { readonly kind: 'send'; readonly send: QueuedSend }
  /** `reason` names every field that is wrong and what was expected there, never what it held. */
  | { readonly kind: 'malformed'; readonly code: 'malformed_json' | 'invalid_request'; readonly reason: string }

export function parseQueuedSend(body: string): ParsedSend {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { kind: 'malformed', code: 'malformed_json', reason: 'The body is not valid JSON.' }
  }
  const result = queuedSendSchema.safeParse(value, { reportInput: true })
  if (result.success) return { kind: 'send', send: result.data }
  const errors = invalidRequest(result.error).errors ?? []
  const reason = errors.map(
    ({ field, message, expected }) => `${field}: ${message}${expected ? ` (expected ${expected})` : ''}`,
  )
  return { kind: 'malformed', code: 'invalid_request', reason: reason.join('; ') }
}
