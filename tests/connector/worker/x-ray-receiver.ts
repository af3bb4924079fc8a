import { once } from 'node:events'
import { createServer } from 'node:http'

// biome-ignore lint/suspicious/noExplicitAny: a segment is JSON of X-Ray's own shape
type Segment = any

/** Takes what is told to X-Ray's API, as it comes over the wire. */
export async function startXRay() {
  const first = Promise.withResolvers<readonly Segment[]>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    if (request.method !== 'POST' || request.url !== '/TraceSegments') {
      response.writeHead(404).end()
      return
    }
    const { TraceSegmentDocuments: documents } = JSON.parse(body) as { readonly TraceSegmentDocuments: string[] }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"UnprocessedTraceSegments":[]}')
    first.resolve(documents.map((document) => JSON.parse(document)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    /** Of the first call. */
    received: first.promise,
    stop: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
