import { Problem } from '../shared/api/problems.ts'
import { InvalidCursor } from '../shared/aws/cursor.ts'

const busy = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TransactionConflictException',
  'TimeoutError',
  'InternalServerError',
  'ServiceUnavailable',
])

/** Any thrown thing as a problem. What is not expected becomes `internal`, which says nothing about it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof InvalidCursor) {
    const message = 'is not a value that a page before gave'
    return new Problem('invalid_request', { detail: `next: ${message}`, errors: [{ field: 'next', message }] })
  }
  if (error instanceof Error && busy.has(error.name)) {
    return new Problem('unavailable', { retryAfterSeconds: 1, cause: error })
  }
  return new Problem('internal', { cause: error })
}
