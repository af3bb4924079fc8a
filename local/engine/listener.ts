/** The front's own server: SDK clients, the control endpoint, the task metadata. Loopback only. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Running } from './contracts.ts'

export interface Listener extends Running {
  readonly port: number
  readonly url: string
  /** Requests before this answer 503. */
  serve(handler: (request: IncomingMessage, response: ServerResponse) => void): void
}

/** @param preferred the port of the last run, so that URLs stay the same where possible; any free one else */
export async function listen(preferred: number | undefined): Promise<Listener> {
  let handler = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(503, { 'retry-after': '1' }).end()
  }
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => handler(request, response))
  if (preferred === undefined || !(await tryPort(server, preferred))) await tryPort(server, 0)
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    serve(next) {
      handler = next
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Asked before anything is started. @throws {Error} one sentence that names the port and the way out */
export async function assertFree(port: number): Promise<void> {
  if (port === 0) return
  const server = createServer()
  if (!(await tryPort(server, port)))
    throw new Error(`Port ${port} is taken or not allowed: choose another with --port N (0 takes a free one).`)
  await new Promise((resolve) => server.close(resolve))
}

function tryPort(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (port !== 0 && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) resolve(false)
      else reject(error)
    }
    server.once('error', failed)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', failed)
      resolve(true)
    })
  })
}
