/** What the HTTP server gives, as API Gateway sees it. */
import type { IncomingMessage } from 'node:http'

/** The body, or `too large` as soon as it is known to be; the rest is then not read. */
export async function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer | 'too large'> {
  if (Number(req.headers['content-length'] ?? 0) > bytesMax) return 'too large'
  const chunks: Buffer[] = []
  let bytes = 0
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes <= bytesMax) {
        chunks.push(chunk)
        return
      }
      req.off('data', take)
      req.pause()
      resolve('too large')
    }
    req.on('data', take)
    req.once('end', () => resolve(Buffer.concat(chunks)))
    req.once('error', reject)
    req.once('close', () => reject(new Error('the client went away')))
  })
}

/** The peer's address; IPv4 in its own form where the socket is a dual one. */
export function sourceIp(req: IncomingMessage): string {
  return (req.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}
