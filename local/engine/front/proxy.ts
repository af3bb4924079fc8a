/** Hands a call on to an emulator over kept-alive loopback sockets. */
import { Agent, request } from 'node:http'
import type { Answer, FrontCall } from './call.ts'

export interface Upstream {
  readonly host: string
  readonly port: number
  readonly agent: Agent
}

export function createUpstream(port: number): Upstream {
  return { host: '127.0.0.1', port, agent: new Agent({ keepAlive: true, maxSockets: 512 }) }
}

/** Headers that belong to one hop. `expect` was answered by the front; with a whole body, its length is known. */
const HOP = ['connection', 'transfer-encoding', 'expect', 'content-length', 'keep-alive', 'accept-encoding']

/** Waits for the whole answer even if the caller has gone: an aborted long poll would lose the message it takes. */
export function forward(upstream: Upstream, call: FrontCall, body: Buffer = call.body): Promise<Answer> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(call.headers)) {
    if (value !== undefined && !HOP.includes(name)) headers[name] = value
  }
  headers['content-length'] = String(body.length)
  const query = call.query.toString()
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: upstream.host,
        port: upstream.port,
        agent: upstream.agent,
        method: call.method,
        path: query === '' ? call.path : `${call.path}?${query}`,
        headers,
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const kept: Record<string, string> = {}
          for (const [name, value] of Object.entries(incoming.headers)) {
            if (typeof value === 'string' && !HOP.includes(name)) kept[name] = value
          }
          resolve({ status: incoming.statusCode ?? 502, headers: kept, body: Buffer.concat(chunks) })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
