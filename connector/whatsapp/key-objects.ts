import crypto, { createSecretKey, type KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Node takes a key that comes as bytes for a key object first, and finds out by two exceptions, stack traces and all: a MAC or a
 * cipher costs three to four times what it costs with a key object made of the same bytes. libsignal, Baileys and the AWS SDK
 * all come with bytes, dozens of times for each message. From here on their keys are key objects.
 */
const keyed = ['createHmac', 'createCipheriv', 'createDecipheriv'] as const
const mark = Symbol.for('holdfast.key-objects')

type Keyed = ((algorithm: string, key: unknown, ...rest: unknown[]) => unknown) & { [mark]?: true }

/** Idempotent. */
export function useKeyObjects(): void {
  const module = crypto as unknown as Record<(typeof keyed)[number], Keyed>
  for (const name of keyed) {
    const original = module[name]
    if (original[mark] === true) continue
    const replacement: Keyed = (algorithm, key, ...rest) => original(algorithm, keyObjectOf(key), ...rest)
    replacement[mark] = true
    module[name] = replacement
  }
  syncBuiltinESMExports()
}

/** What else a key may be is Node's to judge. */
function keyObjectOf(key: unknown): KeyObject | unknown {
  return key instanceof Uint8Array && key.length > 0 ? createSecretKey(key) : key
}
