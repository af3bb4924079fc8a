/**
 * The caller and the service, read from a SigV4 signature: the `Authorization` header, or a presigned URL's query.
 * The scope is `KEY/DATE/REGION/SERVICE/aws4_request`. The signature itself is not checked.
 */
import type { IncomingMessage } from 'node:http'

export interface Scope {
  readonly accessKeyId: string
  readonly region: string
  /** SigV4's name: `dynamodb` (tables and streams), `sqs`, `s3`, `secretsmanager`, `ssm`, `events`, `execute-api`, … */
  readonly service: string
  readonly presigned: boolean
}

/** undefined for requests that no SDK signed: those are for the APIs, not for the front. */
export function scopeOf(request: IncomingMessage): Scope | undefined {
  const header = request.headers.authorization
  if (header?.startsWith('AWS4-HMAC-SHA256') === true) {
    return scopeFrom(/Credential=([^,\s]+)/.exec(header)?.[1], false)
  }
  const query = request.url?.split('?')[1]
  if (query?.includes('X-Amz-Credential=') !== true) return undefined
  return scopeFrom(new URLSearchParams(query).get('X-Amz-Credential') ?? undefined, true)
}

function scopeFrom(credential: string | undefined, presigned: boolean): Scope | undefined {
  const [accessKeyId, , region, service] = credential?.split('/') ?? []
  if (accessKeyId === undefined || region === undefined || service === undefined) return undefined
  return { accessKeyId, region, service, presigned }
}
