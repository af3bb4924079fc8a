/** What people write with plain Baileys: a socket for a stored device, with Baileys' own multi-file auth state. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { makeWASocket, useMultiFileAuthState, WA_CERT_DETAILS, type WASocket } from '@whiskeysockets/baileys'
import { deviceFolder } from './multi-file.ts'
import { quietLogger, silenceConsole } from './quiet.ts'

export const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

/** Once in a process, before the first socket: trusts the server, and says which curves are in use. */
export function beginPlain(rootKey: string): void {
  silenceConsole()
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
  tell({
    event: 'curve',
    file: createRequire(createRequire(import.meta.url).resolve('libsignal')).resolve('curve25519-js'),
  })
}

/** Resolves when it is logged in; ends the process when it is closed, for a bench of sockets that do not stay is none. */
export async function openPlain(url: string, folder: string, index: number): Promise<WASocket> {
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
