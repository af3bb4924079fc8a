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

/** A cursor of the same list, but of another range or filter: DynamoDB knows that no page of this query can begin there. */
const isOtherQuerysCursor = (error: unknown): boolean =>
  error instanceof Error && error.name === 'ValidationException' && /starting key/i.test(error.message)

/** Any thrown thing as a problem. What is not expected becomes `internal`, which says nothing about it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof InvalidCursor || isOtherQuerysCursor(error)) {
    const message = 'is not a value that a page before gave'
    return new Problem('invalid_request', { detail: `next: ${message}`, errors: [{ field: 'next', message }] })
  }
  if (error instanceof Error && busy.has(error.name)) {
    return new Problem('unavailable', { retryAfterSeconds: 1, cause: error })
  }
  return new Problem('internal', { cause: error })
}
