import type { FieldError, ProblemCode, ProblemDocument } from '../api/problems.ts'

/** The API answered with a problem document (RFC 9457). Programs look at `code`, people at `message`. */
export class ProblemError extends Error {
  /** Stable; `unknown` when something in between answered that does not speak problem documents. */
  readonly code: ProblemCode | 'unknown'
  /** HTTP status. */
  readonly status: number
  /** Which fields of the request were wrong, and what was expected there. */
  readonly errors: readonly FieldError[]
  /** Id of the request, as it stands in the service's logs. */
  readonly requestId: string | undefined
  /** Seconds to wait before trying again, where the service said so. */
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, document: Partial<ProblemDocument> | undefined, retryAfter: string | null) {
    super(document?.detail ?? document?.title ?? `The request failed with HTTP status ${status}.`)
    this.name = 'ProblemError'
    this.code = document?.code ?? 'unknown'
    this.status = status
    this.errors = document?.errors ?? []
    this.requestId = document?.instance
    const seconds = Number(retryAfter ?? Number.NaN)
    this.retryAfterSeconds = Number.isFinite(seconds) ? seconds : undefined
  }
}
