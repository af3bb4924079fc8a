/**
 * DynamoDB's protocol over tables in memory, at a cost that hides nothing behind it: a bench on one machine then measures its
 * caller. Each answer comes after the latency that is asked for, as AWS's would. It keeps what the adapters' contract suites
 * ask of DynamoDB Local. What it lacks: streams, expiry, throttling, conflicts of transactions (each comes at its own moment),
 * idempotency tokens. `GET /counts` says what was asked of it, `DELETE /counts` forgets that.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Answer, Operations } from './operations.ts'

export interface Latency {
  readonly readMs: number
  readonly writeMs: number
}

export interface DynamoServer {
  readonly endpoint: string
  stop(): Promise<void>
}

const reads = new Set(['GetItem', 'BatchGetItem', 'Query', 'Scan'])

export async function startDynamoServer(latency: Latency): Promise<DynamoServer> {
  const operations = new Operations()

  const answer = (request: IncomingMessage, body: string, response: ServerResponse): void => {
    if (request.url === '/counts') {
      if (request.method === 'DELETE') operations.forgetCounts()
      send(response, { status: 200, body: operations.counts })
      return
    }
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    const waitMs = reads.has(operation) ? latency.readMs : latency.writeMs
    const answered = (): void => send(response, operations.answer(operation, JSON.parse(body)))
    if (waitMs === 0) answered()
    else setTimeout(answered, waitMs)
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => answer(request, Buffer.concat(chunks).toString(), response))
  })
  // A caller keeps its connections for as long as it likes.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
