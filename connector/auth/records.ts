import { encodeValue } from './values.ts'

/**
 * The auth state in memory: named records, each a text. Names:
 *
 *   creds/<field>       one top-level field of the creds
 *   key/<type>/<id>     a Signal key record
 *   attempted/<id>      a send whose ciphertext may have left
 *   inbound/<hash>      a decrypted message, by the hash of its ciphertext
 *   stored/<hash>       that message's row exists
 *   devices/<user>      a contact's device list
 *
 * One-time prekeys are nine tenths of a device's records and all alike, so they lie in one packed buffer.
 */
export class Records {
  /** By the first part of the name, so that one kind can be listed without a look at all others. */
  readonly #kinds = new Map<string, Map<string, string>>()
  readonly #preKeys = new PreKeyTable()

  get(key: string): string | undefined {
    return key.startsWith(preKeyPrefix)
      ? this.#preKeys.get(Number(key.slice(preKeyPrefix.length)))
      : this.#kinds.get(kindOf(key))?.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  set(key: string, value: string | null): void {
    if (key.startsWith(preKeyPrefix)) {
      this.#preKeys.set(Number(key.slice(preKeyPrefix.length)), value)
      return
    }
    const kind = this.#kinds.get(kindOf(key)) ?? new Map<string, string>()
    this.#kinds.set(kindOf(key), kind)
    if (value === null) kind.delete(key)
    else kind.set(key, value)
  }

  *entries(): IterableIterator<[string, string]> {
    for (const kind of this.#kinds.values()) yield* kind
    for (const [id, value] of this.#preKeys.entries()) yield [`${preKeyPrefix}${id}`, value]
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

/** Text of a prekey record: its private and public half, 32 bytes each, in base64. */
export function packKeyPair(pair: { readonly private: Uint8Array; readonly public: Uint8Array }): string {
  if (pair.private.length !== 32 || pair.public.length !== 32) {
    throw new Error(`prekey: expected two halves of 32 bytes, got ${pair.private.length} and ${pair.public.length}`)
  }
  return Buffer.concat([pair.private, pair.public]).toString('base64')
}

export function unpackKeyPair(text: string): { private: Buffer; public: Buffer } {
  const bytes = Buffer.from(text, 'base64')
  return { private: bytes.subarray(0, 32), public: bytes.subarray(32) }
}

const slotBytes = 64

/** Ids are dense and rise, so a slot per id from the first one; an all-zero slot is empty. */
class PreKeyTable {
  #first = 0
  #slots = Buffer.alloc(0)

  get(id: number): string | undefined {
    const slot = this.#slot(id)
    return slot === undefined || isZero(slot) ? undefined : slot.toString('base64')
  }

  set(id: number, value: string | null): void {
    if (!Number.isInteger(id) || id < 0) throw new Error(`prekey id: expected a whole number, got ${encodeValue(id)}`)
    if (value === null) {
      this.#slot(id)?.fill(0)
      return
    }
    const bytes = Buffer.from(value, 'base64')
    if (bytes.length !== slotBytes) throw new Error(`prekey ${id}: expected ${slotBytes} bytes, got ${bytes.length}`)
    this.#reserve(id)
    bytes.copy(this.#slots, (id - this.#first) * slotBytes)
  }

  *entries(): IterableIterator<[number, string]> {
    for (let at = 0; at < this.#slots.length; at += slotBytes) {
      const slot = this.#slots.subarray(at, at + slotBytes)
      if (!isZero(slot)) yield [this.#first + at / slotBytes, slot.toString('base64')]
    }
  }

  #slot(id: number): Buffer | undefined {
    const at = (id - this.#first) * slotBytes
    return at >= 0 && at < this.#slots.length ? this.#slots.subarray(at, at + slotBytes) : undefined
  }

  #reserve(id: number): void {
    if (this.#slot(id) !== undefined) return
    const used = [...this.entries()]
    const first = used.length === 0 ? id : Math.min(id, used[0]?.[0] ?? id)
    const last = Math.max(id, used.at(-1)?.[0] ?? id)
    if (last - first > slotsMax) throw new Error(`prekey ${id}: more than ${slotsMax} ids away from ${first}`)
    // Keys come by the hundreds at pairing and by fives later: room for some more spares most of the copies.
    const slots = Buffer.alloc((last - first + 1 + (used.length === 0 ? initialSlots : spareSlots)) * slotBytes)
    for (const [usedId, value] of used) Buffer.from(value, 'base64').copy(slots, (usedId - first) * slotBytes)
    this.#first = first
    this.#slots = slots
  }
}

/** Baileys uploads 812 at pairing. */
const initialSlots = 816
const spareSlots = 16
/** Ids are 24 bits and wrap at the very end; a gap this wide is damage, not use. */
const slotsMax = 100_000

function isZero(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}
