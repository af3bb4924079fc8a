import { generateKeyPair } from 'curve25519-js'

/**
 * The auth state in memory: named records, each a text. Names:
 *
 *   creds/<field>       one top-level field of the creds
 *   key/<type>/<id>     a Signal key record
 *   attempted/<id>      a send whose ciphertext may have left
 *   inbound/<hash>      a decrypted message, by the hash of its ciphertext
 *   stored/<hash>       that message's row exists
 *   devices/<user>      a contact's device list
 *   pre-keys/<first>    in a snapshot: all one-time prekeys, as bytes
 *
 * One-time prekeys are nine tenths of a device's records and all alike: their private halves lie in one packed buffer, here and
 * in snapshots. A public half follows from its private one, at the price of one multiplication, and is asked for once.
 */
export class Records {
  /** By the first part of the name, so that one kind can be listed without a look at all others. */
  readonly #kinds = new Map<string, Map<string, string>>()
  readonly #preKeys = new PreKeyTable()

  get(key: string): string | undefined {
    return key.startsWith(preKeyPrefix)
      ? this.#preKeys.get(preKeyId(key))?.toString('base64')
      : this.#kinds.get(kindOf(key))?.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  set(key: string, value: string | Uint8Array | null): void {
    if (key.startsWith(preKeyPrefix)) {
      // A text of both halves is what earlier versions stored.
      const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : value
      this.#preKeys.set(preKeyId(key), bytes === null ? null : bytes.subarray(0, halfBytes))
      return
    }
    if (key.startsWith(preKeysPrefix)) {
      if (!(value instanceof Uint8Array)) throw new Error(`${key}: expected bytes`)
      this.#preKeys.load(Number(key.slice(preKeysPrefix.length)), value)
      return
    }
    if (value instanceof Uint8Array) throw new Error(`${key}: expected a text, got bytes`)
    const kind = this.#kinds.get(kindOf(key)) ?? new Map<string, string>()
    this.#kinds.set(kindOf(key), kind)
    if (value === null) kind.delete(key)
    else kind.set(key, value)
  }

  /** All of it, prekeys as one record of bytes. */
  *entries(): IterableIterator<[string, string | Uint8Array]> {
    for (const kind of this.#kinds.values()) yield* kind
    const { first, bytes } = this.#preKeys.packed()
    if (bytes.length > 0) yield [`${preKeysPrefix}${first}`, bytes]
  }

  /** Names of one kind, e.g. `creds`, the longest there first; without prekeys. */
  keys(kind: string): IterableIterator<string> {
    return this.#kinds.get(kind)?.keys() ?? new Map<string, string>().keys()
  }

  count(kind: string): number {
    return this.#kinds.get(kind)?.size ?? 0
  }
}

function kindOf(key: string): string {
  const slash = key.indexOf('/')
  return slash < 0 ? key : key.slice(0, slash)
}

const preKeyPrefix = 'key/pre-key/'
const preKeysPrefix = 'pre-keys/'
const halfBytes = 32

const preKeyId = (key: string): number => Number(key.slice(preKeyPrefix.length))

/** Text of a prekey record: its private half in base64. @throws where the halves do not belong together */
export function packKeyPair(pair: { readonly private: Uint8Array; readonly public: Uint8Array }): string {
  if (pair.private.length !== halfBytes || pair.public.length !== halfBytes) {
    throw new Error(`prekey: expected two halves of 32 bytes, got ${pair.private.length} and ${pair.public.length}`)
  }
  if (Buffer.compare(generateKeyPair(pair.private).public, pair.public) !== 0) {
    throw new Error('prekey: expected the public half to follow from the private one')
  }
  return Buffer.from(pair.private).toString('base64')
}

/** Also of a text that holds both halves, as earlier versions stored it. */
export function unpackKeyPair(text: string): { private: Buffer; public: Buffer } {
  const half = Buffer.from(text, 'base64').subarray(0, halfBytes)
  return { private: half, public: Buffer.from(generateKeyPair(half).public) }
}

/** Ids are dense and rise, so a slot per id from the first one; an all-zero slot is empty. */
class PreKeyTable {
  #first = 0
  #slots = Buffer.alloc(0)

  get(id: number): Buffer | undefined {
    const slot = this.#slot(id)
    return slot === undefined || isZero(slot) ? undefined : slot
  }

  set(id: number, half: Uint8Array | null): void {
    if (!Number.isInteger(id) || id < 0) throw new Error(`prekey id: expected a whole number, got ${id}`)
    if (half === null) {
      this.#slot(id)?.fill(0)
      return
    }
    if (half.length !== halfBytes) throw new Error(`prekey ${id}: expected ${halfBytes} bytes, got ${half.length}`)
    this.#reserve(id)
    this.#slots.set(half, (id - this.#first) * halfBytes)
  }

  /** Takes the place of what is there. A copy: what it came in is larger, and would be kept alive. */
  load(first: number, packed: Uint8Array): void {
    if (!Number.isInteger(first) || first < 0 || packed.length % halfBytes !== 0) {
      throw new Error(`prekeys from ${first}: expected slots of ${halfBytes} bytes, got ${packed.length} bytes`)
    }
    this.#first = first
    this.#slots = ownCopy(packed)
  }

  /** From the first slot in use to the last. */
  packed(): { readonly first: number; readonly bytes: Uint8Array } {
    let from = 0
    let to = this.#slots.length
    while (from < to && isZero(this.#slots.subarray(from, from + halfBytes))) from += halfBytes
    while (to > from && isZero(this.#slots.subarray(to - halfBytes, to))) to -= halfBytes
    return { first: this.#first + from / halfBytes, bytes: this.#slots.subarray(from, to) }
  }

  #slot(id: number): Buffer | undefined {
    const at = (id - this.#first) * halfBytes
    return at >= 0 && at < this.#slots.length ? this.#slots.subarray(at, at + halfBytes) : undefined
  }

  #reserve(id: number): void {
    if (this.#slot(id) !== undefined) return
    const used = this.packed()
    const count = used.bytes.length / halfBytes
    const first = count === 0 ? id : Math.min(id, used.first)
    const last = count === 0 ? id : Math.max(id, used.first + count - 1)
    if (last - first > slotsMax) throw new Error(`prekey ${id}: more than ${slotsMax} ids away from ${first}`)
    // Keys come by the hundreds at pairing and by fives later: room for some more spares most of the copies.
    const slots = Buffer.alloc((last - first + 1 + (count === 0 ? initialSlots : spareSlots)) * halfBytes)
    if (count > 0) slots.set(used.bytes, (used.first - first) * halfBytes)
    this.#first = first
    this.#slots = slots
  }
}

/** Baileys uploads 812 at pairing. */
const initialSlots = 816
const spareSlots = 16
/** Ids are 24 bits and wrap at the very end; a gap this wide is damage, not use. */
const slotsMax = 100_000

function ownCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const copy = Buffer.alloc(bytes.length)
  copy.set(bytes)
  return copy
}

function isZero(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}
