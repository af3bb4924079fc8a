import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { LiveFrame } from '../../shared/api/live.ts'

/** How a socket's end of the management API behaves. Sockets that were not opened are gone. */
export type SocketBehaviour = 'open' | 'throttled' | 'stuck'

/**
 * API Gateway's management endpoint and Secrets Manager, as far as the functions' real clients use them.
 * `throttled` refuses posts and can be closed; `stuck` can't even be closed.
 */
export async function startFakeServices(secret: string) {
  const behaviours = new Map<string, SocketBehaviour>()
  const received = new Map<string, string[]>()
  const closed: string[] = []
  const posts: string[] = []
  let secretReads = 0

  const server = createServer(async (request, response) => {
    const body = await text(request)
    const answer = (status: number, value: unknown, type?: string) => {
      response.writeHead(status, {
        'content-type': 'application/x-amz-json-1.1',
        ...(type === undefined ? {} : { 'x-amzn-errortype': type }),
      })
      response.end(JSON.stringify(value))
    }
    if (request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue') {
      secretReads++
      answer(200, { ARN: 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:admin', SecretString: secret })
      return
    }
    const socketId = decodeURIComponent(/^\/live\/@connections\/([^/]+)$/.exec(request.url ?? '')?.[1] ?? '')
    const behaviour = behaviours.get(socketId)
    if (request.method === 'POST') posts.push(socketId)
    if (behaviour === undefined) return answer(410, { message: 'gone' }, 'GoneException')
    if (Buffer.byteLength(body) > 128 * 1024) return answer(413, { message: 'large' }, 'PayloadTooLargeException')
    if (request.method === 'DELETE') {
      if (behaviour === 'stuck') return answer(500, { message: 'no' }, 'InternalFailure')
      behaviours.delete(socketId)
      closed.push(socketId)
      return answer(204, undefined)
    }
    if (behaviour !== 'open') return answer(429, { message: 'slow down' }, 'LimitExceededException')
    received.set(socketId, [...(received.get(socketId) ?? []), body])
    answer(200, {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected a port')

  return {
    url: `http://127.0.0.1:${address.port}`,
    behave: (socketId: string, behaviour: SocketBehaviour) => behaviours.set(socketId, behaviour),
    vanish: (socketId: string) => behaviours.delete(socketId),
    closed,
    posts,
    secretReads: () => secretReads,
    /** WebSocket messages that the socket was sent. */
    messages: (socketId: string): readonly string[] => received.get(socketId) ?? [],
    frames: (socketId: string): LiveFrame[] =>
      (received.get(socketId) ?? []).flatMap((message) => JSON.parse(message) as LiveFrame | LiveFrame[]),
    async stop(): Promise<void> {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
export type FakeServices = Awaited<ReturnType<typeof startFakeServices>>

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
