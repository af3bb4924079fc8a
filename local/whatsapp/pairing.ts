/**
 * Linking a companion device, by QR and by phone-number code. Both ways end in the same signed device identity, which the
 * companion signs in turn; only a good signature makes it a device of the account, and 515 sends it to log in as one.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { type BinaryNode, child, childBytes, node, requiredBytes, unixSeconds } from './binary-node.ts'
import type { CompanionDevice, DeviceKeys } from './companion-device.ts'
import type { Connection } from './connection.ts'
import { generateKeyPair, type KeyPair } from './curve.ts'
import { signAsAccount, verifiedByDevice } from './device-identity.ts'
import type { Account } from './directory.ts'
import { formatJid, parseJid } from './jids.ts'
import { announceDevice } from './notices.ts'
import { openKeyBundle, unwrapWithCode, WRAPPED_KEY_BYTES, wrapWithCode } from './pairing-code.ts'
import type { Simulator } from './simulator.ts'

export type PairingProblem =
  | 'qr_malformed'
  | 'qr_not_offered'
  | 'qr_key_mismatch'
  | 'code_not_requested'
  | 'code_wrong'
  | 'passkey_required'
  | 'pairing_in_progress'
  | 'device_signature_invalid'
  | 'client_gone'

export class PairingError extends Error {
  override name = 'PairingError'
  readonly problem: PairingProblem

  constructor(problem: PairingProblem, message: string) {
    super(message)
    this.problem = problem
  }
}

interface Confirmation {
  iqId: string
  account: Account
  device: number
  details: Buffer
  by: 'qr' | 'code'
  resolve: (device: CompanionDevice) => void
  reject: (error: PairingError) => void
}

/** A phone-number code that a client asked for and shows. */
interface LinkCode {
  phoneNumber: string
  ref: Buffer
  wrappedCompanionEphemeral: Buffer
  /** Set while the phone's half is with the client. */
  entered:
    | {
        account: Account
        ephemeral: KeyPair
        companionEphemeral: Buffer
        finish: Omit<Confirmation, 'iqId' | 'device' | 'details'>
      }
    | undefined
}

/** A client that registered and has no account yet. */
interface Candidate {
  connection: Connection
  keys: DeviceKeys
  linkCode: LinkCode | undefined
  confirmation: Confirmation | undefined
}

const REFS = 6
const REF_BYTES = 24
const KEY_BYTES = 32

interface ScannedQr {
  ref: string
  noiseKey: Buffer
  identityKey: Buffer
  advSecret: Buffer
}

/** `ref,noise,identity,adv secret[,platform]`, with or without the address that today's clients put before it. */
function readQr(text: string): ScannedQr {
  const [ref, noise, identity, secret] = text
    .slice(text.indexOf('#') + 1)
    .trim()
    .split(',')
  const [noiseKey, identityKey, advSecret] = [noise, identity, secret].map((part) => Buffer.from(part ?? '', 'base64'))
  if (!ref || noiseKey?.length !== KEY_BYTES || identityKey?.length !== KEY_BYTES || advSecret?.length !== KEY_BYTES) {
    throw new PairingError(
      'qr_malformed',
      'expected the QR text "ref,noise key,identity key,adv secret", keys in base64',
    )
  }
  return { ref, noiseKey, identityKey, advSecret }
}

export class PairingDesk {
  readonly #simulator: Simulator
  readonly #candidates = new Map<Connection, Candidate>()
  readonly #offers = new Map<string, Candidate>()

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  /** Offers a newly registered client six references to show as QR codes. */
  offer(connection: Connection, keys: DeviceKeys): void {
    const candidate: Candidate = { connection, keys, linkCode: undefined, confirmation: undefined }
    this.#candidates.set(connection, candidate)
    const refs = Array.from({ length: REFS }, () => randomBytes(REF_BYTES).toString('base64url'))
    for (const ref of refs) this.#offers.set(ref, candidate)
    const content = refs.map((ref) => node('ref', {}, Buffer.from(ref)))
    const attrs = { from: 's.whatsapp.net', type: 'set', id: randomBytes(4).toString('hex'), xmlns: 'md' }
    connection.send(node('iq', attrs, [node('pair-device', {}, content)]))
  }

  isCandidate(connection: Connection): boolean {
    return this.#candidates.has(connection)
  }

  /** Resolves when the client's device signature is verified and the device is linked. */
  async scan(account: Account, qrText: string): Promise<CompanionDevice> {
    const { ref, noiseKey, identityKey, advSecret } = readQr(qrText)
    const candidate = this.#offers.get(ref)
    if (!candidate) throw new PairingError('qr_not_offered', 'no open client shows this QR code')
    const { keys } = candidate
    if (!keys.noiseKey.equals(noiseKey) || !keys.identityKey.equals(identityKey)) {
      throw new PairingError('qr_key_mismatch', 'the keys in the QR code are not those that its client registered with')
    }
    if (account.phone.settings.passkey) this.#askForPasskey(candidate, 'passkey_prologue_request', [])
    return new Promise((resolve, reject) => {
      this.#pairSuccess(candidate, advSecret, { account, by: 'qr', resolve, reject })
    })
  }

  /** `companion_hello`: a client shows a code for a number. Returns the answer's content, or undefined for no such number. */
  requestCode(connection: Connection, request: BinaryNode): BinaryNode | undefined {
    const candidate = this.#candidates.get(connection)
    const phoneNumber = parseJid(request.attrs.jid)?.user
    if (!candidate || !phoneNumber || !this.#simulator.directory.account(phoneNumber)) return undefined
    const wrapped = requiredBytes(request, 'link_code_pairing_wrapped_companion_ephemeral_pub', WRAPPED_KEY_BYTES)
    const renewed = new PairingError('code_not_requested', 'the client has asked for a new code since')
    candidate.linkCode?.entered?.finish.reject(renewed)
    const ref = randomBytes(REF_BYTES)
    candidate.linkCode = { phoneNumber, ref, wrappedCompanionEphemeral: wrapped, entered: undefined }
    const content = [node('link_code_pairing_ref', {}, ref)]
    return node('link_code_companion_reg', { stage: 'companion_hello' }, content)
  }

  /** The code is typed into the phone. A wrong one shows when the client's keys don't open. */
  async enterCode(account: Account, typed: string): Promise<CompanionDevice> {
    const code = typed.replaceAll(/[\s-]/g, '')
    const candidate = [...this.#candidates.values()].findLast(
      ({ linkCode }) => linkCode?.phoneNumber === account.phoneNumber,
    )
    const linkCode = candidate?.linkCode
    if (!candidate || !linkCode)
      throw new PairingError('code_not_requested', 'no open client asked to link this number')
    if (linkCode.entered) throw new PairingError('pairing_in_progress', 'a code is being checked for this client')
    if (account.phone.settings.passkey) {
      const content = [node('link_code_pairing_ref', {}, linkCode.ref)]
      const handoff = node('link_code_companion_reg', { stage: 'primary_hello' }, content)
      this.#askForPasskey(candidate, 'link_code_companion_reg', [handoff])
    }
    const companionEphemeral = await unwrapWithCode(code, linkCode.wrappedCompanionEphemeral)
    const ephemeral = generateKeyPair()
    const wrapped = await wrapWithCode(code, ephemeral.publicKey)
    return new Promise((resolve, reject) => {
      if (!candidate.connection.open) {
        reject(new PairingError('client_gone', 'the client that asked for the code has closed'))
        return
      }
      linkCode.entered = { account, ephemeral, companionEphemeral, finish: { account, by: 'code', resolve, reject } }
      const attrs = {
        from: 's.whatsapp.net',
        type: 'link_code_companion_reg',
        id: randomBytes(4).toString('hex'),
        t: unixSeconds(this.#simulator.now()),
      }
      const content = [
        node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, wrapped),
        node('primary_identity_pub', {}, account.phone.signal.identity.publicKey),
        node('link_code_pairing_ref', {}, linkCode.ref),
      ]
      const request = node('link_code_companion_reg', { stage: 'primary_hello' }, content)
      candidate.connection.send(node('notification', attrs, [request]))
    })
  }

  /**
   * `companion_finish`: opens the client's key bundle and derives the adv secret. Returns what to do once the iq is
   * answered, or undefined if the bundle does not open, which is what a wrong code leads to.
   */
  finishCode(connection: Connection, request: BinaryNode): (() => void) | undefined {
    const candidate = this.#candidates.get(connection)
    const entered = candidate?.linkCode?.entered
    if (!candidate?.linkCode || !entered) return undefined
    candidate.linkCode.entered = undefined
    const secret = openKeyBundle(requiredBytes(request, 'link_code_pairing_wrapped_key_bundle'), {
      ephemeral: entered.ephemeral,
      identity: entered.account.phone.signal.identity,
      companionEphemeral: entered.companionEphemeral,
      companionIdentity: candidate.keys.identityKey,
    })
    if (!secret) {
      entered.finish.reject(new PairingError('code_wrong', 'the code is not the one that the client shows'))
      return undefined
    }
    return () => this.#pairSuccess(candidate, secret, entered.finish)
  }

  /** The client is told, and the person cannot go on. */
  #askForPasskey({ connection }: Candidate, type: string, content: BinaryNode[]): never {
    const id = randomBytes(4).toString('hex')
    const attrs = { from: 's.whatsapp.net', type, id, t: unixSeconds(this.#simulator.now()) }
    connection.send(node('notification', attrs, content))
    throw new PairingError('passkey_required', 'the phone asks for a passkey to link a device')
  }

  #pairSuccess(
    candidate: Candidate,
    advSecret: Buffer,
    finish: Omit<Confirmation, 'iqId' | 'device' | 'details'>,
  ): void {
    if (candidate.confirmation) {
      finish.reject(new PairingError('pairing_in_progress', 'this client is being linked already'))
      return
    }
    const { account } = finish
    const { identity } = account.phone.signal
    const device = account.phone.takeDeviceNumber()
    const details = Buffer.from(
      proto.ADVDeviceIdentity.encode({
        rawId: identity.publicKey.readUInt32BE(0),
        timestamp: Math.floor(this.#simulator.now() / 1000),
        keyIndex: device,
        accountType: proto.ADVEncryptionType.E2EE,
        deviceType: proto.ADVEncryptionType.E2EE,
      }).finish(),
    )
    const accountSignature = signAsAccount(identity.privateKey, details, candidate.keys.identityKey)
    const signed = Buffer.from(
      proto.ADVSignedDeviceIdentity.encode({
        details,
        accountSignatureKey: identity.publicKey,
        accountSignature,
      }).finish(),
    )
    const hmac = createHmac('sha256', advSecret).update(signed).digest()
    const iqId = randomBytes(4).toString('hex')
    candidate.confirmation = { ...finish, iqId, device, details }
    const { business, name } = account.phone.settings
    const content = [
      node('device-identity', {}, proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish()),
      ...(business ? [node('biz', { name: name || account.phoneNumber })] : []),
      node('device', {
        jid: formatJid(account.phoneNumber, 's.whatsapp.net', device),
        lid: formatJid(account.lid, 'lid', device),
      }),
      node('platform', { name: business ? 'smba' : 'android' }),
    ]
    const attrs = { from: 's.whatsapp.net', type: 'set', id: iqId, t: unixSeconds(this.#simulator.now()) }
    candidate.connection.send(node('iq', attrs, [node('pair-success', {}, content)]))
  }

  /** The client's answer to pair-success. False if the node is no such answer. */
  async confirm(connection: Connection, reply: BinaryNode): Promise<boolean> {
    const candidate = this.#candidates.get(connection)
    const confirmation = candidate?.confirmation
    if (!candidate || !confirmation || reply.attrs.id !== confirmation.iqId) return false
    const { account, device, resolve, reject } = confirmation
    candidate.confirmation = undefined
    if (!this.#signatureHolds(candidate.keys, confirmation, reply)) {
      reject(new PairingError('device_signature_invalid', "the client's device signature does not verify"))
      connection.streamError('device signature invalid', { code: '401' })
      return true
    }
    const { directory, store, stats, events } = this.#simulator
    const companion = directory.link(account, device, candidate.keys)
    stats.pairings++
    await store.flush()
    events.publish({ event: 'pairing', device: companion.key, by: confirmation.by })
    announceDevice(this.#simulator, account, companion, 'add')
    this.forget(connection)
    connection.streamError('restart after pairing', { code: '515' })
    resolve(companion)
    return true
  }

  /** A client that is gone takes its QR codes with it. */
  forget(connection: Connection): void {
    const candidate = this.#candidates.get(connection)
    if (!candidate) return
    this.#candidates.delete(connection)
    for (const [ref, owner] of this.#offers) if (owner === candidate) this.#offers.delete(ref)
    const gone = new PairingError('client_gone', 'the client closed before it was linked')
    candidate.confirmation?.reject(gone)
    candidate.linkCode?.entered?.finish.reject(gone)
  }

  #signatureHolds(keys: DeviceKeys, confirmation: Confirmation, reply: BinaryNode): boolean {
    const encoded = childBytes(child(reply, 'pair-device-sign'), 'device-identity')
    if (!encoded) return false
    const account = confirmation.account.phone.signal.identity.publicKey
    const details = verifiedByDevice(encoded, { account, companion: keys.identityKey })
    return details?.equals(confirmation.details) ?? false
  }
}
