import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { LiveFrame } from '../../shared/api/live.ts'

/** How a socket's end of the management API behaves. Sockets that were not opened are gone. */
export type SocketBehaviour = 'open' | 'throttled' | 'stuck'

export interface PutEntry {
  readonly EventBusName: string
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

const asBase64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

/**
 * API Gateway's management endpoint, Secrets Manager, EventBridge and KMS, as far as the functions' real clients use them.
 * `throttled` refuses posts and can be closed; `stuck` can't even be closed.
 */
export async function startFakeServices(secret: string) {
  const behaviours = new Map<string, SocketBehaviour>()
  const received = new Map<string, string[]>()
  const closed: string[] = []
  const posts: string[] = []
  let secretReads = 0
  const bus = { mood: 'well' as 'well' | 'down', refuses: new Set<string>(), entries: [] as PutEntry[] }

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
    if (request.headers['x-amz-target'] === 'AWSEvents.PutEvents') {
      const { Entries } = JSON.parse(body) as { Entries: PutEntry[] }
      if (bus.mood === 'down') return answer(500, { message: 'no' }, 'InternalFailure')
      const answers = Entries.map((entry) => {
        const { event } = JSON.parse(entry.Detail)
        if (bus.refuses.has(event)) return { ErrorCode: 'ThrottlingException', ErrorMessage: 'slow down' }
        bus.entries.push(entry)
        return { EventId: `bus-${bus.entries.length}` }
      })
      const FailedEntryCount = answers.filter((each) => 'ErrorCode' in each).length
      return answer(200, { FailedEntryCount, Entries: answers })
    }
    if (request.headers['x-amz-target'] === 'TrentService.Encrypt') {
      const { Plaintext, EncryptionContext } = JSON.parse(body)
      return answer(200, { CiphertextBlob: asBase64({ Plaintext, context: EncryptionContext }) })
    }
    if (request.headers['x-amz-target'] === 'TrentService.Decrypt') {
      const { CiphertextBlob, EncryptionContext } = JSON.parse(body)
      const sealed = JSON.parse(Buffer.from(CiphertextBlob, 'base64').toString())
      if (JSON.stringify(sealed.context) !== JSON.stringify(EncryptionContext)) {
        return answer(400, { message: 'context' }, 'InvalidCiphertextException')
      }
      return answer(200, { Plaintext: sealed.Plaintext })
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
    /** EventBridge: what it took, which events it refuses, whether it answers. */
    bus,
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
