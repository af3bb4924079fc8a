import type { OperationKind, OperationRequest } from '../../../shared/domain/operations.ts'
import type { OperationAnswer } from '../../ports.ts'
import { contactOperations } from './contacts.ts'
import type { OperationContext, OperationHandlers } from './context.ts'
import { groupOperations } from './groups.ts'
import { mediaOperations } from './media.ts'
import { answerOf } from './whatsapp-errors.ts'

/** Every kind has its handler here. */
const handlers: OperationHandlers<OperationKind> = { ...contactOperations, ...groupOperations, ...mediaOperations }

/** Carries out a command with an answer on an open socket. Never throws. */
export async function operate(context: OperationContext, request: OperationRequest): Promise<OperationAnswer> {
  try {
    // Kind and request belong together by `OperationRequest`; the table can't say so for a union.
    const handler = handlers[request.kind] as (context: OperationContext, asked: OperationRequest) => Promise<never>
    return { kind: 'done', result: await handler(context, request) }
  } catch (error) {
    return answerOf(error)
  }
}
