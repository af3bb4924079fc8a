import { Curve, makeNoiseHandler, NOISE_WA_HEADER, proto, WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { original } from './implementations.ts'
import { noiseKeyPair, serverHello } from './noise-server.ts'

const secret = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const root = original.generateKeyPair(secret(1))
const intermediate = original.generateKeyPair(secret(2))
const stranger = original.generateKeyPair(secret(3))
const server = noiseKeyPair()

const WHATSAPP_ROOT = WA_CERT_DETAILS.PUBLIC_KEY
const trust = (publicKey: Uint8Array): void => {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(publicKey)
}
beforeAll(() => trust(root.public))
afterAll(() => trust(WHATSAPP_ROOT))

interface ChainOptions {
  /** Whose key signs the leaf; the intermediate's in a good chain. */
  leafSigner?: Uint8Array
  /** Whose key signs the intermediate; the root's in a good chain. */
  intermediateSigner?: Uint8Array
  /** The serial the intermediate names as its issuer; 0, the root's, in a good chain. */
  issuerSerial?: number
}

function certificateChain(options: ChainOptions = {}): Uint8Array {
  const { Details } = proto.CertChain.NoiseCertificate
  const intermediateDetails = Details.encode({
    serial: 1,
    issuerSerial: options.issuerSerial ?? 0,
    key: intermediate.public,
  }).finish()
  const leafDetails = Details.encode({ serial: 2, issuerSerial: 1, key: server.publicKey }).finish()
  return proto.CertChain.encode({
    intermediate: {
      details: intermediateDetails,
      signature: original.sign(options.intermediateSigner ?? root.private, Uint8Array.from(intermediateDetails)),
    },
    leaf: {
      details: leafDetails,
      signature: original.sign(options.leafSigner ?? intermediate.private, Uint8Array.from(leafDetails)),
    },
  }).finish()
}

/** Runs Baileys' side of the handshake against a server that shows `chain`; the client's encrypted static key, or a throw. */
function handshake(chain: Uint8Array, staticKeyPair = server): Uint8Array {
  const ephemeral = Curve.generateKeyPair()
  const noise = makeNoiseHandler({
    keyPair: ephemeral,
    NOISE_HEADER: NOISE_WA_HEADER,
    logger: pino({ level: 'silent' }),
  })
  const hello = serverHello({
    prologue: NOISE_WA_HEADER,
    clientEphemeral: ephemeral.public,
    staticKeyPair,
    certificateChain: chain,
  })
  return noise.processHandshake(proto.HandshakeMessage.fromObject({ serverHello: hello }), Curve.generateKeyPair())
}

describe("Baileys' check of the server's certificate chain", () => {
  test('a chain signed from the trusted root down is accepted', () => {
    expect(handshake(certificateChain())).toHaveLength(32 + 16)
  })

  test('a leaf the intermediate did not sign is refused', () => {
    expect(() => handshake(certificateChain({ leafSigner: stranger.private }))).toThrow(
      'noise certificate signature invalid',
    )
  })

  test('an intermediate the root did not sign is refused', () => {
    expect(() => handshake(certificateChain({ intermediateSigner: stranger.private }))).toThrow(
      'noise intermediate certificate signature invalid',
    )
  })

  test('a chain with its own root, sound in itself, is refused under the root WhatsApp ships', () => {
    trust(WHATSAPP_ROOT)
    try {
      expect(() => handshake(certificateChain())).toThrow('noise intermediate certificate signature invalid')
    } finally {
      trust(root.public)
    }
  })

  test('an intermediate that names another issuer is refused', () => {
    expect(() => handshake(certificateChain({ issuerSerial: 9 }))).toThrow('certification match failed')
  })

  // Not what one would wish, but what the drop-in's README states: this release of Baileys does not compare the two keys.
  test('a genuine chain shown by a server with another static key is still accepted, so TLS stays necessary', () => {
    expect(handshake(certificateChain(), noiseKeyPair())).toHaveLength(32 + 16)
  })
})
