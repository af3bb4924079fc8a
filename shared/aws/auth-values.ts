/**
 * Values of the auth state as JSON text with bytes in it. Text, since a one-byte string costs its length and little more,
 * where a parsed session record or a small Buffer costs several times that: most records are never read again.
 */

/** JSON.stringify would call `toJSON` of Buffers and protobuf messages, which loses what was bytes: hence the own walk. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(plain(value))
}

export function decodeValue(text: string): unknown {
  return text.includes(bytesMark) ? JSON.parse(text, revive) : JSON.parse(text)
}

const bytesMark = '$bytes'

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return { [bytesMark]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    const copy: Record<string, unknown> = {}
    for (const [name, member] of Object.entries(value)) if (member !== undefined) copy[name] = plain(member)
    return copy
  }
  return value
}

function revive(_name: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && bytesMark in value) {
    const text = value[bytesMark]
    if (typeof text === 'string') return Buffer.from(text, 'base64')
  }
  return value
}

/** Text of a one-time prekey's record: its private half in base64. The public half follows from it. */
export function preKeyText(pair: { readonly private: Uint8Array }): string {
  if (pair.private.length !== 32) throw new Error(`prekey: expected 32 bytes, got ${pair.private.length}`)
  return Buffer.from(pair.private).toString('base64')
}
