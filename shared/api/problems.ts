import { z } from 'zod'

/**
 * Everything that can be wrong with a call, said once: RFC 9457 problem documents with a stable `code`. Callers program
 * against `code` and `status`; titles and details are for people and may change.
 */
interface ProblemKind {
  readonly status: number
  readonly title: string
  /** Whether the same call may succeed later without being changed. */
  readonly retryable?: true
}

export const problemKinds = {
  malformed_json: { status: 400, title: 'The body is not valid JSON.' },
  invalid_request: { status: 400, title: 'The request is not valid.' },
  missing_api_key: { status: 401, title: 'The X-Api-Key header is missing.' },
  invalid_api_key: { status: 401, title: 'The API key is not known or was revoked.' },
  invalid_token: { status: 401, title: 'The bearer token is not valid here, or has ended.' },
  invalid_ticket: { status: 401, title: 'The ticket is missing, spent, expired or not known.' },
  wrong_scope: { status: 403, title: 'The caller may not make this call.' },
  not_found: { status: 404, title: 'There is no such path.' },
  connection_not_found: { status: 404, title: 'Connection not found.' },
  media_not_found: { status: 404, title: 'There is no such medium, or its time is over.' },
  no_media: { status: 404, title: 'The message has no medium.' },
  message_not_found: { status: 404, title: 'Message not found.' },
  operation_not_found: { status: 404, title: 'Operation not found.' },
  business_profile_not_found: { status: 404, title: 'Business profile not found.' },
  erasure_not_found: { status: 404, title: 'Erasure not found.' },
  webhook_not_found: { status: 404, title: 'Webhook not found.' },
  api_key_not_found: { status: 404, title: 'API key not found.' },
  qr_not_ready: { status: 404, title: 'The QR code is not there yet.', retryable: true },
  method_not_allowed: { status: 405, title: 'This path does not have that method.' },
  not_acceptable: { status: 406, title: 'None of the accepted media types can be given.' },
  qr_not_available: { status: 409, title: 'There is no QR code to scan.' },
  device_already_linked: { status: 409, title: 'The device of this folder is linked to a connection already.' },
  already_linked: { status: 409, title: 'The connection is linked to a device.' },
  logout_pending: { status: 409, title: 'The connection is being logged out.', retryable: true },
  not_connected: { status: 409, title: 'The connection is not connected now.', retryable: true },
  connection_deleting: { status: 409, title: 'The connection is being deleted.' },
  not_cancellable: { status: 409, title: 'The message is on its way or has ended.' },
  api_key_not_active: { status: 409, title: 'The API key was revoked, rotated or has ended.' },
  business_profile_erasing: { status: 409, title: 'The business profile is being erased.' },
  connection_quota_reached: { status: 409, title: 'The business profile has all the connections that it may have.' },
  idempotency_conflict: { status: 409, title: 'The idempotency key was used with another body.' },
  media_gone: { status: 410, title: 'The medium cannot be had any more.' },
  precondition_failed: { status: 412, title: 'It was changed meanwhile.' },
  too_many_webhooks: { status: 409, title: 'The business profile has its limit of webhooks.' },
  payload_too_large: { status: 413, title: 'The body is too large.' },
  media_too_large: { status: 413, title: 'The medium is larger than what is kept.' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json.' },
  rate_limited: { status: 429, title: 'There are too many calls by this caller.', retryable: true },
  send_quota_reached: { status: 429, title: 'The business profile has sent all that it may today.', retryable: true },
  too_many_waiting: { status: 429, title: 'The connection has too many waiting sends.', retryable: true },
  internal: { status: 500, title: 'Something went wrong on our side.', retryable: true },
  media_unreachable: { status: 502, title: 'The medium could not be fetched from WhatsApp now.', retryable: true },
  unavailable: { status: 503, title: 'A service behind the API is busy.', retryable: true },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problemKinds
export const problemCodes = Object.keys(problemKinds) as [ProblemCode, ...ProblemCode[]]

export const fieldErrorSchema = z
  .strictObject({
    field: z.string().meta({ description: 'Path of the field, e.g. `text.body`; `body` for the whole body.' }),
    message: z.string().meta({ description: 'What is wrong with it.' }),
    expected: z.string().optional().meta({ description: 'What was expected there.' }),
  })
  .meta({ id: 'FieldError' })
export type FieldError = z.infer<typeof fieldErrorSchema>

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'URI of this kind of problem.', example: 'urn:holdfast:problem:not_found' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().optional(),
    code: z.enum(problemCodes),
    instance: z.string().optional().meta({ description: 'Id of the request, as in the logs.' }),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' })
export type ProblemDocument = z.infer<typeof problemSchema>

export const problemMediaType = 'application/problem+json'

interface ProblemDetails {
  readonly detail?: string
  readonly errors?: readonly FieldError[]
  /** Extra response headers, e.g. `Allow`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Seconds; becomes the `Retry-After` header. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** Thrown at the API edge, mapped to a response in one place. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly detail: string | undefined
  readonly errors: readonly FieldError[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.detail ?? problemKinds[code].title, { cause: details.cause })
    this.name = 'Problem'
    this.code = code
    this.detail = details.detail
    this.errors = details.errors
    this.headers = {
      ...details.headers,
      ...(details.retryAfterSeconds === undefined ? {} : { 'retry-after': String(details.retryAfterSeconds) }),
    }
  }

  get status(): number {
    return problemKinds[this.code].status
  }

  get retryable(): boolean {
    const kind: ProblemKind = problemKinds[this.code]
    return kind.retryable === true
  }

  /** The document as sent. `instance` is the id of the request. */
  document(instance?: string): ProblemDocument {
    return {
      type: `urn:holdfast:problem:${this.code}`,
      title: problemKinds[this.code].title,
      status: this.status,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      code: this.code,
      ...(instance === undefined ? {} : { instance }),
      ...(this.errors === undefined ? {} : { errors: [...this.errors] }),
    }
  }
}

/** Turns what zod found into one problem that names every field and what was expected there. */
export function invalidRequest(error: z.core.$ZodError, root = 'body'): Problem {
  const errors = fieldErrors(error.issues, root)
  const first = errors[0]
  return new Problem('invalid_request', {
    errors,
    ...(first === undefined ? {} : { detail: `${first.field}: ${first.message}` }),
  })
}

function fieldErrors(issues: readonly z.core.$ZodIssue[], root: string): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const field = issue.path.map(String).join('.')
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: field === '' ? key : `${field}.${key}`,
        message: 'unknown field',
      }))
    }
    const expected = expectation(issue)
    return [
      {
        field: field === '' ? root : field,
        message: issue.code === 'invalid_type' && issue.input === undefined ? 'is required' : issue.message,
        ...(expected === undefined ? {} : { expected }),
      },
    ]
  })
}

function expectation(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'too_small':
      return `at least ${issue.minimum}`
    case 'custom':
      return typeof issue.params?.expected === 'string' ? issue.params.expected : undefined
    default:
      return undefined
  }
}
