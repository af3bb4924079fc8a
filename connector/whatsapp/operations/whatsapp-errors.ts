import type { BinaryNode } from '@whiskeysockets/baileys'
import type { OperationError } from '../../../shared/domain/operations.ts'
import type { OperationAnswer } from '../../ports.ts'
import { Refused } from './context.ts'

/** What became of an operation that threw. Without an answer of WhatsApp's nobody knows whether it did it. */
export function answerOf(error: unknown): OperationAnswer {
  if (error instanceof Refused) return { kind: 'failed', error: error.error }
  const code = errorCodeOf(error)
  if (code === undefined) return { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
  return { kind: 'failed', error: refusalOf(code) }
}

/** The code of WhatsApp's `<error>`, which Baileys puts into `data`, alone or as the node. Undefined for any other failure. */
export function errorCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('data' in error)) return undefined
  const { data } = error
  const code = isErrorNode(data) ? Number(data.attrs.code) : data
  return typeof code === 'number' && Number.isInteger(code) && code > 0 ? code : undefined
}

const isErrorNode = (data: unknown): data is BinaryNode =>
  typeof data === 'object' && data !== null && 'tag' in data && data.tag === 'error'

function refusalOf(code: number): OperationError {
  const whatsappCode = String(code)
  switch (code) {
    case 401:
    case 403:
      return { code: 'forbidden', message: 'WhatsApp does not let this account do that.', whatsappCode }
    case 404:
    case 410:
      return { code: 'not_found', message: 'WhatsApp does not have it, or not for this account.', whatsappCode }
    default:
      return { code: 'rejected_by_whatsapp', message: `WhatsApp refused with the code ${code}.`, whatsappCode }
  }
}
