import crypto, { createSecretKey, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Node takes a key that comes as bytes for a key object first, and finds out by two exceptions, stack traces and all: a MAC or a
 * cipher costs three to four times what it costs with a key object made of the same bytes, and a key object of a curve, made
 * from DER by four exceptions, up to twice what it costs without their traces. libsignal, Baileys and the AWS SDK all come with
 * bytes, dozens of times for each message. From here on their keys are key objects, made without traces, and the curves' are
 * kept for a while: a private one is made by deriving its public key, which costs more than to use it, and the key agreements of
 * one first message use some keys three times. A pair that is generated is kept at once: Node's way to DER costs as much as
 * the pair.
 */
const keyed = ['createHmac', 'createCipheriv', 'createDecipheriv'] as const
const making = ['createPrivateKey', 'createPublicKey'] as const
/** DER of these curves' keys is that short. */
const curveKeyBytesMax = 48
const curveKeysKept = 256
/** What comes before the 32 bytes of an X25519 key in DER (RFC 8410, section 7). */
const x25519 = {
  pkcs8: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  spki: Buffer.from('302a300506032b656e032100', 'hex'),
}
const mark = Symbol.for('holdfast.key-objects')

type Keyed = ((algorithm: string, key: unknown, ...rest: unknown[]) => unknown) & { [mark]?: true }
type Making = ((key: unknown) => unknown) & { [mark]?: true }
type Generating = typeof crypto.generateKeyPairSync & { [mark]?: true }

/** Idempotent. */
export function useKeyObjects(): void {
  const module = crypto as unknown as Record<(typeof keyed)[number], Keyed> & Record<(typeof making)[number], Making>
  for (const name of keyed) {
    const original = module[name]
    if (original[mark] === true) continue
    const replacement: Keyed = (algorithm, key, ...rest) => original(algorithm, keyObjectOf(key), ...rest)
    replacement[mark] = true
    module[name] = replacement
  }
  const keptBy = { createPrivateKey: new Map<string, unknown>(), createPublicKey: new Map<string, unknown>() }
  for (const name of making) {
    const original = module[name]
    if (original[mark] === true) continue
    const kept = keptBy[name]
    const replacement: Making = (key) => {
      const make = () => withoutTraces(() => original(key))
      const der = shortDer(key)
      return der === undefined ? make() : keptOf(kept, der, make)
    }
    replacement[mark] = true
    module[name] = replacement
  }
  const generate = crypto.generateKeyPairSync as Generating
  if (generate[mark] !== true) {
    const generating = (...asked: unknown[]) => {
      if (!asksForDer(asked)) return Reflect.apply(generate, undefined, asked)
      const pair = generate('x25519')
      const { d = '', x = '' } = pair.privateKey.export({ format: 'jwk' })
      const privateKey = Buffer.concat([x25519.pkcs8, Buffer.from(d, 'base64url')])
      const publicKey = Buffer.concat([x25519.spki, Buffer.from(x, 'base64url')])
      keptOf(keptBy.createPrivateKey, nameOf('pkcs8', privateKey), () => pair.privateKey)
      keptOf(keptBy.createPublicKey, nameOf('spki', publicKey), () => pair.publicKey)
      return { publicKey, privateKey }
    }
    crypto.generateKeyPairSync = Object.assign(generating, { [mark]: true as const }) as Generating
  }
  syncBuiltinESMExports()
}

/** As libsignal asks for a pair. */
function asksForDer([type, options]: readonly unknown[]): boolean {
  const { publicKeyEncoding: open, privateKeyEncoding: secret } = (options ?? {}) as Record<
    string,
    Encoding | undefined
  >
  const isDer = (encoding: Encoding | undefined, as: string) =>
    encoding?.format === 'der' && encoding.type === as && encoding.cipher === undefined
  return type === 'x25519' && isDer(open, 'spki') && isDer(secret, 'pkcs8')
}

interface Encoding {
  readonly format?: unknown
  readonly type?: unknown
  readonly cipher?: unknown
}

/** What else a key may be is Node's to judge. */
function keyObjectOf(key: unknown): KeyObject | unknown {
  return key instanceof Uint8Array && key.length > 0 ? createSecretKey(key) : key
}

/** The bytes as text, if it is DER and short enough for a key of a curve. */
function shortDer(key: unknown): string | undefined {
  const { key: bytes, format, type } = (key ?? {}) as { key?: unknown; format?: unknown; type?: unknown }
  if (format !== 'der' || !(bytes instanceof Uint8Array) || bytes.length > curveKeyBytesMax) return undefined
  return nameOf(type, bytes)
}

function nameOf(type: unknown, der: Uint8Array): string {
  return `${type} ${Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('latin1')}`
}

/** The oldest make room. */
function keptOf(kept: Map<string, unknown>, name: string, make: () => unknown): unknown {
  const found = kept.get(name)
  if (found !== undefined) return found
  const made = make()
  if (kept.size >= curveKeysKept) kept.delete(kept.keys().next().value as string)
  kept.set(name, made)
  return made
}

/** What fails is done once more, to fail with its trace. */
function withoutTraces<T>(work: () => T): T {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return work()
  } catch {
    Error.stackTraceLimit = limit
    return work()
  } finally {
    Error.stackTraceLimit = limit
  }
}
