import type { AnyOperation } from '../../api/operations.ts'
import type { Http } from '../http.ts'

/** How a call that asks for an operation is made. */
export interface OperationOptions {
  /** Seconds to wait for the answer, at most 20; 0 gives the pending operation at once. Default: 10. */
  readonly waitSeconds?: number
  /** The same key and request again are the same operation. */
  readonly idempotencyKey?: string
}

export const operationHeaders = ({ waitSeconds, idempotencyKey }: OperationOptions) => ({
  prefer: waitSeconds === undefined ? undefined : `wait=${waitSeconds}`,
  'idempotency-key': idempotencyKey,
})

export const waitHeader = ({ waitSeconds }: Pick<OperationOptions, 'waitSeconds'>) => ({
  prefer: waitSeconds === undefined ? undefined : `wait=${waitSeconds}`,
})

/** Commands with answers, after they were asked for. */
export class Operations {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** As it is now; kept for a day. */
  get(connectionId: string, operationId: string): Promise<AnyOperation> {
    return this.#http.request('GET /connections/{connectionId}/operations/{operationId}', {
      params: { connectionId, operationId },
    })
  }
}

/** It did not succeed: it failed, or it is still pending. */
export class OperationError extends Error {
  readonly operationId: string
  /** Of the operation's error; `pending` where it has not ended. */
  readonly code: string

  constructor(operationId: string, code: string, message: string) {
    super(message)
    this.name = 'OperationError'
    this.operationId = operationId
    this.code = code
  }
}

type Ended<Result> =
  | { readonly operationId: string; readonly status: 'pending' }
  | { readonly operationId: string; readonly status: 'succeeded'; readonly result: Result }
  | {
      readonly operationId: string
      readonly status: 'failed'
      readonly error: { readonly code: string; readonly message: string }
    }

/**
 * The result of an operation that succeeded.
 *
 * @throws {OperationError} for any other
 */
export function resultOf<Result>(operation: Ended<Result>): Result {
  switch (operation.status) {
    case 'succeeded':
      return operation.result
    case 'failed':
      throw new OperationError(operation.operationId, operation.error.code, operation.error.message)
    case 'pending':
      throw new OperationError(operation.operationId, 'pending', 'The operation has not ended yet.')
  }
}
