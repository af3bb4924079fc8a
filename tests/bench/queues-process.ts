/** SQS and S3 in a process of their own, which counts what it is asked: `GET /counts` of the second port, `DELETE` forgets. */
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startFauxqs } from 'fauxqs'
import { fillAnswersFromGroups } from './fifo-groups.ts'

await fillAnswersFromGroups()
const server = await startFauxqs({ port: 0, logger: false, host: '127.0.0.1' })
let counts: Record<string, number> = {}

subscribe('http.server.request.start', (message) => {
  const { request } = message as { readonly request: IncomingMessage }
  if (request.socket.localPort !== server.port) return
  const target = request.headers['x-amz-target']
  const name = target === undefined ? `s3 ${request.method}` : `sqs ${String(target).split('.')[1]}`
  counts[name] = (counts[name] ?? 0) + 1
})

const control = createServer((request, response) => {
  response.end(JSON.stringify(counts))
  if (request.method === 'DELETE') counts = {}
}).listen(0, '127.0.0.1')
await once(control, 'listening')
const { port } = control.address() as AddressInfo
process.stdout.write(`${JSON.stringify({ event: 'ready', port: server.port, control: `http://127.0.0.1:${port}` })}\n`)
