/** A CloudFront distribution on a port of its own: objects of its bucket, read as CloudFront would, with its headers added. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { EngineLog, PrincipalClientConfig, Running } from './contracts.ts'
import type { ExtraRoute } from './gateway/start-gateway.ts'
import type { DistributionSpec } from './template/specs.ts'

export interface DistributionOptions {
  readonly spec: DistributionSpec
  /** 0 takes a free one. */
  readonly port: number
  /** Signs as CloudFront, so that the bucket's policy is asked. */
  readonly client: PrincipalClientConfig
  readonly log: EngineLog
  readonly extraRoutes: readonly ExtraRoute[]
}

export interface RunningDistribution extends Running {
  readonly url: string
  /** Known once APIs have their addresses. */
  localize(localize: (value: string) => string): void
}

export async function startDistribution(options: DistributionOptions): Promise<RunningDistribution> {
  const { spec, log, extraRoutes } = options
  const objects = new S3Client({ ...options.client, forcePathStyle: true })
  let headers = spec.headers

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname)
    const key = path === '/' ? (spec.rootObject ?? '') : path.slice(1)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(403, headers).end()
      return
    }
    try {
      const found = await objects.send(new GetObjectCommand({ Bucket: spec.bucketName, Key: key }))
      response.writeHead(200, {
        ...headers,
        ...(found.ContentType === undefined ? {} : { 'content-type': found.ContentType }),
        ...(found.CacheControl === undefined ? {} : { 'cache-control': found.CacheControl }),
        ...(found.ETag === undefined ? {} : { etag: found.ETag }),
      })
      response.end(request.method === 'HEAD' ? undefined : await found.Body?.transformToByteArray())
    } catch (error) {
      const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 502
      if (status !== 404 && status !== 403) log.warn(`distribution ${spec.title}`, String(error))
      response.writeHead(status, { ...headers, 'content-type': 'text/plain' }).end('Not found\n')
    }
  }

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const extra = extraRoutes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
    if (extra === undefined) void serve(request, response)
    else extra.handle(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', () => resolve())
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    localize(localize) {
      headers = Object.fromEntries(Object.entries(spec.headers).map(([name, value]) => [name, localize(value)]))
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      objects.destroy()
    },
  }
}
