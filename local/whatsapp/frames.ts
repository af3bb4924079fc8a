/** Framing: a three byte big-endian length before each payload, and the client's intro before its first frame. */

import { ProtocolError } from './binary-node.ts'
import { CLIENT_INTRO } from './noise.ts'

const LENGTH_BYTES = 3
/** `"ED" 00 01`, written before the intro by a client that holds routing info; a three byte length and the info follow. */
const ROUTING_MARK = Buffer.from([0x45, 0x44, 0x00, 0x01])

export function frame(payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, LENGTH_BYTES)
  bytes.set(payload, LENGTH_BYTES)
  return bytes
}

/** Cuts a client's byte stream into frames, whatever pieces it arrives in. */
export class FrameReader {
  #buffered: Buffer = Buffer.alloc(0)
  #introduced = false

  push(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
  }

  /** The next whole frame, or undefined until more bytes arrive. */
  next(): Buffer | undefined {
    if (!this.#introduced && !this.#readIntro()) return undefined
    if (this.#buffered.length < LENGTH_BYTES) return undefined
    const end = LENGTH_BYTES + this.#buffered.readUIntBE(0, LENGTH_BYTES)
    if (this.#buffered.length < end) return undefined
    const payload = this.#buffered.subarray(LENGTH_BYTES, end)
    this.#buffered = this.#buffered.subarray(end)
    return payload
  }

  #readIntro(): boolean {
    let offset = 0
    if (this.#buffered.length < ROUTING_MARK.length) return false
    if (this.#buffered.subarray(0, ROUTING_MARK.length).equals(ROUTING_MARK)) {
      const infoStart = ROUTING_MARK.length + LENGTH_BYTES
      if (this.#buffered.length < infoStart) return false
      offset = infoStart + this.#buffered.readUIntBE(ROUTING_MARK.length, LENGTH_BYTES)
    }
    const end = offset + CLIENT_INTRO.length
    if (this.#buffered.length < end) return false
    if (!this.#buffered.subarray(offset, end).equals(CLIENT_INTRO)) {
      throw new ProtocolError('the first bytes are not the WhatsApp intro 57 41 06 03')
    }
    this.#buffered = this.#buffered.subarray(end)
    this.#introduced = true
    return true
  }
}
