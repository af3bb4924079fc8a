/**
 * What people write with plain Baileys to send: a socket for each device, all sends at once. Arguments: server URL, root key,
 * folder with a folder for each device, first device, count.
 * `POST /` with `[[device, to, text], …]` sends them and answers once each was handed to its socket.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beginPlain, openPlain, tell } from './plain-device.ts'

const [url = '', rootKey = '', folder = '', first = '0', count = '0'] = process.argv.slice(2)
beginPlain(rootKey)

const sockets = await Promise.all(
  Array.from({ length: Number(count) }, (_, i) => openPlain(url, folder, Number(first) + i)),
)

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const sends = JSON.parse(Buffer.concat(chunks).toString()) as [number, string, string][]
    Promise.all(sends.map(([device, to, text]) => sockets[device]?.sendMessage(to, { text }))).then(
      () => response.end('{}'),
      (error: unknown) => {
        response.statusCode = 500
        response.end(JSON.stringify({ error: String(error) }))
      },
    )
  })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
tell({ event: 'all open', port: (server.address() as AddressInfo).port })
