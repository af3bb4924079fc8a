import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { type HttpEvent, header } from './request.ts'

/** Below this an answer fits into a packet anyway. */
const compressFromBytes = 1_024

type HttpMiddleware = MiddlewareObj<HttpEvent, APIGatewayProxyStructuredResultV2>

/** Answers of text are sent compressed to those who accept it. API Gateway's HTTP APIs do not compress by themselves. */
export function compressed(): HttpMiddleware {
  const compress: NonNullable<HttpMiddleware['after']> = async ({ event, response }) => {
    if (!response?.body || response.isBase64Encoded || Buffer.byteLength(response.body) < compressFromBytes) return
    const { vary } = response.headers ?? {}
    response.headers = {
      ...response.headers,
      vary: vary === undefined ? 'accept-encoding' : `${vary}, accept-encoding`,
    }
    if (!acceptsGzip(header(event, 'accept-encoding'))) return
    response.headers['content-encoding'] = 'gzip'
    response.body = (await promisify(gzip)(response.body)).toString('base64')
    response.isBase64Encoded = true
  }
  return { after: compress, onError: compress }
}

/** RFC 9110, 12.5.3: named, or covered by `*`, and not with a quality of zero. */
function acceptsGzip(accepted: string | undefined): boolean {
  const codings = (accepted ?? '').split(',').map((part) => part.split(';').map((each) => each.trim().toLowerCase()))
  const coding = codings.find(([name]) => name === 'gzip') ?? codings.find(([name]) => name === '*')
  if (coding === undefined) return false
  const quality = coding.find((parameter) => parameter.startsWith('q='))
  return quality === undefined || Number(quality.slice(2)) > 0
}
