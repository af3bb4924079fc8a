/**
 * Presigned URLs, which callers of the product use with whatever HTTP client they have: the one place where a signature is
 * checked, since what it binds (length, type, checksum) is a promise to them. Signature Version 4 with query parameters.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ServiceError } from './call.ts'

const refusal = () =>
  new ServiceError(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    403,
  )

/** @throws ServiceError where the request is not the one that was signed, or its time is over */
export function checkPresigned(request: IncomingMessage, secretAccessKey: string): void {
  const [path = '/', queryText = ''] = (request.url ?? '/').split('?')
  const query = new URLSearchParams(queryText)
  refuseExpired(query)
  const given = Buffer.from(query.get('X-Amz-Signature') ?? '', 'hex')
  const expected = signatureOf(request, path, query, secretAccessKey)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw refusal()
}

function signatureOf(request: IncomingMessage, path: string, query: URLSearchParams, secret: string): Buffer {
  const signedHeaders = query.get('X-Amz-SignedHeaders') ?? ''
  const headers = signedHeaders.split(';').map((name) => {
    const value = request.headers[name]
    if (value === undefined) throw refusal()
    return `${name}:${String(value).trim().replace(/ +/g, ' ')}\n`
  })
  const pairs = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  const canonical = [
    request.method ?? 'GET',
    path,
    pairs.map(([name, value]) => `${name}=${value}`).join('&'),
    headers.join(''),
    signedHeaders,
    query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
  ].join('\n')
  const [, ...scope] = (query.get('X-Amz-Credential') ?? '').split('/')
  const hash = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', query.get('X-Amz-Date'), scope.join('/'), hash].join('\n')
  const key = scope.reduce<Buffer>(
    (derived, part) => createHmac('sha256', derived).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  )
  return createHmac('sha256', key).update(text).digest()
}

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

/** `X-Amz-Date` is `20250131T235959Z`, `X-Amz-Expires` seconds from then. */
function refuseExpired(query: URLSearchParams): void {
  const date = (query.get('X-Amz-Date') ?? '').replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  )
  const until = Date.parse(date) + Number(query.get('X-Amz-Expires')) * 1000
  if (!(Date.now() < until)) throw new ServiceError('AccessDenied', 'Request has expired', 403)
}
