/**
 * What people write with plain Baileys to send: a socket for each device, all sends at once. Arguments: server URL, root key,
 * folder with a folder for each device, first device, count.
 * `POST /` with `[[device, to, text], …]` sends them and answers once each was handed to its socket.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { makeWASocket, useMultiFileAuthState, WA_CERT_DETAILS, type WASocket } from '@whiskeysockets/baileys'
import { deviceFolder } from './multi-file.ts'
import { quietLogger, silenceConsole } from './quiet.ts'

const [url = '', rootKey = '', folder = '', first = '0', count = '0'] = process.argv.slice(2)
silenceConsole()
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
tell({
  event: 'curve',
  file: createRequire(createRequire(import.meta.url).resolve('libsignal')).resolve('curve25519-js'),
})

async function open(index: number): Promise<WASocket> {
  const { state, saveCreds } = await useMultiFileAuthState(join(folder, deviceFolder(index)))
  const socket = makeWASocket({ waWebSocketUrl: url, auth: state, logger: quietLogger })
  socket.ev.on('creds.update', () => void saveCreds())
  return new Promise((resolve) => {
    socket.ev.on('connection.update', ({ connection, lastDisconnect }) => {
      if (connection === 'open') resolve(socket)
      if (connection === 'close') {
        tell({ event: 'closed', device: index, why: lastDisconnect?.error?.message })
        process.exit(1)
      }
    })
  })
}

const sockets = await Promise.all(Array.from({ length: Number(count) }, (_, i) => open(Number(first) + i)))

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
