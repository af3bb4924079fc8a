/**
 * What people write with plain Baileys: a socket for each stored device with Baileys' own multi-file auth state, so many
 * opened at a time. Arguments: server URL, root key, folder with a folder for each device, count, at a time.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { makeWASocket, useMultiFileAuthState, WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { deviceFolder } from './multi-file.ts'
import { quietLogger, silenceConsole } from './quiet.ts'

const [url = '', rootKey = '', folder = '', count = '0', atOnce = '20'] = process.argv.slice(2)
silenceConsole()
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
tell({
  event: 'curve',
  file: createRequire(createRequire(import.meta.url).resolve('libsignal')).resolve('curve25519-js'),
})

async function open(index: number): Promise<void> {
  const { state, saveCreds } = await useMultiFileAuthState(join(folder, deviceFolder(index)))
  const socket = makeWASocket({ waWebSocketUrl: url, auth: state, logger: quietLogger })
  socket.ev.on('creds.update', () => void saveCreds())
  return new Promise((resolve) => {
    socket.ev.on('connection.update', ({ connection, lastDisconnect }) => {
      if (connection === 'open') resolve()
      if (connection === 'close') {
        tell({ event: 'closed', device: index, why: lastDisconnect?.error?.message })
        process.exit(1)
      }
    })
  })
}

let next = 0
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    while (next < Number(count)) await open(next++)
  }),
)
tell({ event: 'all open' })
