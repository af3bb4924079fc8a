/**
 * Links devices at the simulated WhatsApp with Baileys, as a phone's scan does, and keeps each as a file: what the connector
 * would have in a snapshot of its auth state. Arguments: server URL, control URL, root key, folder, first index, count.
 */
import { join } from 'node:path'
import {
  type AuthenticationCreds,
  DEFAULT_CONNECTION_CONFIG,
  initAuthCreds,
  makeWASocket,
  type SignalDataSet,
  type SignalDataTypeMap,
  WA_CERT_DETAILS,
} from '@whiskeysockets/baileys'
import { packKeyPair } from '../../connector/auth/records.ts'
import { decodeValue, encodeValue } from '../../shared/aws/auth-values.ts'
import { type DeviceRecords, phoneNumberOf, snapshotFile, writeRecords } from './linked-devices.ts'
import { quietLogger, silenceConsole } from './quiet.ts'
import { SimulatorControl } from './simulator.ts'

const [url = '', controlUrl = '', rootKey = '', folder = '', first = '0', count = '0'] = process.argv.slice(2)
silenceConsole()
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
const control = new SimulatorControl(controlUrl)

const atOnce = 8
const preKeysUploaded = 812
const linkTimeoutMs = 120_000

interface Device {
  readonly creds: AuthenticationCreds
  readonly keys: Map<string, string>
}

function open(device: Device, onQr: (qr: string) => void): Promise<'open' | 'restart'> {
  const { creds, keys } = device
  return new Promise((resolve, reject) => {
    const socket = makeWASocket({
      ...DEFAULT_CONNECTION_CONFIG,
      waWebSocketUrl: url,
      logger: quietLogger,
      auth: {
        creds,
        keys: {
          get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
            const found: Record<string, SignalDataTypeMap[T]> = {}
            for (const id of ids) {
              const text = keys.get(`${type}/${id}`)
              if (text !== undefined) found[id] = decodeValue(text) as SignalDataTypeMap[T]
            }
            return found
          },
          set: async (data: SignalDataSet) => {
            for (const [type, records] of Object.entries(data)) {
              for (const [id, value] of Object.entries(records ?? {})) {
                if (value === null || value === undefined) keys.delete(`${type}/${id}`)
                else keys.set(`${type}/${id}`, encodeValue(value))
              }
            }
          },
        },
      },
    })
    socket.ev.on('creds.update', (update) => void Object.assign(creds, update))
    socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
      if (qr !== undefined) onQr(qr)
      if (connection === 'open') {
        void settled(creds).then(() => {
          socket.ev.removeAllListeners('connection.update')
          void socket.end(undefined)
          resolve('open')
        }, reject)
      }
      if (connection === 'close') {
        const status = (lastDisconnect?.error as { output?: { statusCode?: number } } | undefined)?.output?.statusCode
        if (status === 515) resolve('restart')
        else reject(new Error(`closed with ${status}: ${lastDisconnect?.error?.message}`))
      }
    })
  })
}

/** The phone's first messages are received, and the prekeys are at the server. */
async function settled(creds: AuthenticationCreds): Promise<void> {
  const [, number = '', id = ''] = /^(\d+):(\d+)@/.exec(creds.me?.id ?? '') ?? []
  for (const end = Date.now() + linkTimeoutMs; Date.now() < end; ) {
    const { devices } = (await control.call('GET', `/phones/${number}/devices`)) as {
      devices: { device: number; preKeys: number; unacknowledged: number }[]
    }
    const device = devices.find((each) => each.device === Number(id))
    const complete = creds.accountSyncCounter > 0 && creds.myAppStateKeyId !== undefined
    if (device !== undefined && complete && device.unacknowledged === 0 && device.preKeys > preKeysUploaded * 0.9)
      return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${creds.me?.id} did not settle within ${linkTimeoutMs} ms`)
}

async function link(index: number): Promise<void> {
  const phoneNumber = phoneNumberOf(index)
  await control.call('POST', '/phones', { phoneNumber, name: `Phone ${index}` })
  const device: Device = { creds: initAuthCreds(), keys: new Map() }
  let scanned = false
  const scan = (qr: string): void => {
    if (scanned) return
    scanned = true
    void control.call('POST', `/phones/${phoneNumber}/scan`, { qr })
  }
  if ((await open(device, scan)) === 'restart') await open(device, scan)
  writeRecords(join(folder, snapshotFile(index)), recordsOf(device))
}

function recordsOf({ creds, keys }: Device): DeviceRecords {
  const changes: [string, string][] = []
  for (const [field, value] of Object.entries(creds)) {
    if (value !== undefined) changes.push([`creds/${field}`, encodeValue(value)])
  }
  for (const [key, text] of keys) {
    const pair = () => decodeValue(text) as { private: Uint8Array; public: Uint8Array }
    changes.push([`key/${key}`, key.startsWith('pre-key/') ? packKeyPair(pair()) : text])
  }
  return changes
}

let next = Number(first)
const last = next + Number(count)
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < last) {
      const index = next++
      await link(index).catch(() => link(index))
      process.stdout.write(`${JSON.stringify({ linked: index })}\n`)
    }
  }),
)
process.exit(0)
