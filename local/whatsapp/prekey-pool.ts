/**
 * The one-time prekeys that a device uploaded, oldest first. They are packed into one buffer, since a thousand devices
 * with 812 keys each would otherwise be most of the server's memory.
 */

const KEY_BYTES = 32

export interface PreKeyPoolRecord {
  ids: number[]
  /** All public keys, one after the other, in base64. */
  publicKeys: string
}

export class PreKeyPool {
  #ids: number[]
  #publicKeys: Buffer
  #taken = 0

  constructor(record: PreKeyPoolRecord = { ids: [], publicKeys: '' }) {
    this.#ids = record.ids
    this.#publicKeys = Buffer.from(record.publicKeys, 'base64')
  }

  get size(): number {
    return this.#ids.length - this.#taken
  }

  /** Keys that are there already, as after an upload whose answer was lost, are not added twice. */
  add(preKeys: Iterable<[number, Buffer]>): void {
    const known = new Set(this.#ids)
    const fresh = [...preKeys].filter(([id]) => !known.has(id))
    const left = this.#publicKeys.subarray(this.#taken * KEY_BYTES)
    this.#ids = [...this.#ids.slice(this.#taken), ...fresh.map(([id]) => id)]
    this.#publicKeys = Buffer.concat([left, ...fresh.map(([, publicKey]) => publicKey)])
    this.#taken = 0
  }

  /** Removes the oldest, or returns undefined when there is none left. */
  take(): { keyId: number; publicKey: Buffer } | undefined {
    const keyId = this.#ids[this.#taken]
    if (keyId === undefined) return undefined
    const publicKey = Buffer.from(this.#publicKeys.subarray(this.#taken * KEY_BYTES, (this.#taken + 1) * KEY_BYTES))
    this.#taken++
    return { keyId, publicKey }
  }

  record(): PreKeyPoolRecord {
    return {
      ids: this.#ids.slice(this.#taken),
      publicKeys: this.#publicKeys.subarray(this.#taken * KEY_BYTES).toString('base64'),
    }
  }
}
