/** What follows the handshake: a registration is offered pairing, a known device is let in, anything else is refused. */

import type { proto } from '@whiskeysockets/baileys'
import { node, unixSeconds } from './binary-node.ts'
import type { DeviceKeys } from './companion-device.ts'
import type { Connection } from './connection.ts'
import { typedPublicKey, verify } from './curve.ts'
import { endSocket } from './fault-actions.ts'
import { formatJid, lidOf } from './jids.ts'
import type { ClientIntroduction } from './noise.ts'
import type { Simulator } from './simulator.ts'

const LOGGED_OUT = 401
const PUBLIC_KEY_BYTES = 32
const REGISTRATION_BYTES = 4
const KEY_ID_BYTES = 3

export function admit(simulator: Simulator, connection: Connection, introduction: ClientIntroduction): void {
  const { payload, noiseKey } = introduction
  if (payload.devicePairingData) register(simulator, connection, payload.devicePairingData, noiseKey)
  else logIn(simulator, connection, String(payload.username ?? ''), payload.device ?? 0, noiseKey)
}

function register(
  simulator: Simulator,
  connection: Connection,
  data: proto.ClientPayload.IDevicePairingRegistrationData,
  noiseKey: Buffer,
): void {
  simulator.events.publish({ event: 'registration', connection: connection.connectionNumber })
  const fault = simulator.faults.findEnding(connection)
  if (fault) {
    endSocket(simulator, fault, connection)
    return
  }
  const keys = registrationKeys(data, noiseKey)
  if (keys) simulator.pairing.offer(connection, keys)
  else refuse(simulator, connection, LOGGED_OUT)
}

/** Undefined if a field is missing or has the wrong length, or if the signed prekey is not signed by the identity. */
function registrationKeys(
  data: proto.ClientPayload.IDevicePairingRegistrationData,
  noiseKey: Buffer,
): DeviceKeys | undefined {
  const { eIdent, eRegid, eSkeyId, eSkeyVal, eSkeySig } = data
  if (eIdent?.length !== PUBLIC_KEY_BYTES || eSkeyVal?.length !== PUBLIC_KEY_BYTES || !eSkeySig) return undefined
  if (eRegid?.length !== REGISTRATION_BYTES || eSkeyId?.length !== KEY_ID_BYTES) return undefined
  if (!verify(eIdent, eSkeySig, typedPublicKey(eSkeyVal))) return undefined
  return {
    noiseKey,
    identityKey: Buffer.from(eIdent),
    registrationId: Buffer.from(eRegid).readUInt32BE(0),
    signedPreKey: {
      keyId: Buffer.from(eSkeyId).readUIntBE(0, KEY_ID_BYTES),
      publicKey: Buffer.from(eSkeyVal),
      signature: Buffer.from(eSkeySig),
    },
  }
}

function logIn(
  simulator: Simulator,
  connection: Connection,
  phoneNumber: string,
  device: number,
  noiseKey: Buffer,
): void {
  const { directory, faults, stats, events, now } = simulator
  connection.device = `${phoneNumber}:${device}`
  const companion = directory.companion({ phoneNumber, device })
  // The silence of a device begins where the server knows who it is.
  if (faults.find('silent', connection)) return
  const fault = faults.findEnding(connection)
  if (fault?.request.kind === 'failure') {
    endSocket(simulator, fault, connection)
    return
  }
  if (!companion?.keys.noiseKey.equals(noiseKey)) {
    refuse(simulator, connection, LOGGED_OUT)
    return
  }
  const replaced = companion.connection
  companion.connection = connection
  connection.companion = companion
  stats.loggedIn(companion.key)
  if (replaced) {
    stats.conflicts++
    companion.mailbox.leave()
    replaced.streamError('replaced', {}, node('conflict', { type: 'replaced' }))
  }
  events.publish({ event: 'login', device: companion.key, replaced: replaced !== undefined })
  connection.send(node('success', { t: unixSeconds(now()), lid: formatJid(lidOf(phoneNumber), 'lid', device) }))
  if (fault) endSocket(simulator, fault, connection)
}

function refuse(simulator: Simulator, connection: Connection, reason: number): void {
  simulator.stats.refusedLogins++
  simulator.events.publish({ event: 'login-refused', device: connection.device ?? '', reason })
  connection.endWith('login refused', node('failure', { reason: reason.toString() }))
}
