/**
 * One call of an AWS SDK client as the front sees it, and what a service behind the front must offer.
 *
 * Words
 *   demand   one action on one resource that the caller's policies must allow; a call may stand for several
 *   answer   status, headers and body in the service's own protocol
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { ConditionContext } from '../iam/conditions.ts'
import type { Principal } from '../iam/principals.ts'

export interface FrontCall {
  readonly principal: Principal
  readonly method: string
  /** Without the query, still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The last part of `x-amz-target`, or the query protocol's `Action`; empty for REST protocols. */
  readonly operation: string
  readonly body: Buffer
  /** Lets a long poll end when its caller has gone. */
  readonly signal: AbortSignal
}

export interface Demand {
  readonly action: string
  readonly resource: string
  readonly context: ConditionContext
  /** The ARN whose resource policy counts, where it is not `resource` itself: a bucket's for an object. */
  readonly owner?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | string
}

/** A service that answers from a whole body. Errors that the client should see are thrown as `ServiceError`. */
export interface FrontService {
  readonly protocol: Protocol
  demands(call: FrontCall): readonly Demand[]
  handle(call: FrontCall): Promise<Answer>
}

/** A service that reads the request itself, once the caller may. */
export interface PassingService {
  readonly protocol: Protocol
  demands(call: FrontCall): readonly Demand[]
  pass(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export type Protocol =
  | {
      readonly kind: 'json'
      readonly version: '1.0' | '1.1'
      readonly accessDenied: string
      readonly deniedStatus: number
    }
  | { readonly kind: 'query' }
  | { readonly kind: 'rest-json' }
  | { readonly kind: 's3' }

/** An error of the service, in AWS's own words. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export async function readWhole(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > limitBytes) throw new ServiceError('RequestEntityTooLarge', `The body is over ${limitBytes} bytes`, 413)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks, size)
}
