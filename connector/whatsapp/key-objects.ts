import crypto, { createSecretKey, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Node takes a key that comes as bytes for a key object first, and finds out by two exceptions, stack traces and all: a MAC or a
 * cipher costs three to four times what it costs with a key object made of the same bytes, and a key object of a curve, made
 * from DER by four exceptions, up to twice what it costs without their traces. libsignal, Baileys and the AWS SDK all come with
 * bytes, dozens of times for each message. From here on their keys are key objects, made without traces, and the curves' are
 * kept for a while: a private one is made by deriving its public key, which costs more than to use it, and the key agreements of
 * one first message use some keys three times.
 */
const keyed = ['createHmac', 'createCipheriv', 'createDecipheriv'] as const
const making = ['createPrivateKey', 'createPublicKey'] as const
/** DER of these curves' keys is that short. */
const curveKeyBytesMax = 48
const curveKeysKept = 256
const mark = Symbol.for('holdfast.key-objects')

type Keyed = ((algorithm: string, key: unknown, ...rest: unknown[]) => unknown) & { [mark]?: true }
type Making = ((key: unknown) => unknown) & { [mark]?: true }

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
  for (const name of making) {
    const original = module[name]
    if (original[mark] === true) continue
    const kept = new Map<string, unknown>()
    const replacement: Making = (key) => {
      const make = () => withoutTraces(() => original(key))
      const der = shortDer(key)
      return der === undefined ? make() : keptOf(kept, der, make)
    }
    replacement[mark] = true
    module[name] = replacement
  }
  syncBuiltinESMExports()
}

/** What else a key may be is Node's to judge. */
function keyObjectOf(key: unknown): KeyObject | unknown {
  return key instanceof Uint8Array && key.length > 0 ? createSecretKey(key) : key
}

/** The bytes as text, if it is DER and short enough for a key of a curve. */
function shortDer(key: unknown): string | undefined {
  const { key: bytes, format, type } = (key ?? {}) as { key?: unknown; format?: unknown; type?: unknown }
  if (format !== 'der' || !(bytes instanceof Uint8Array) || bytes.length > curveKeyBytesMax) return undefined
  return `${type} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')}`
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
