import { PreKeyWhisperMessage } from 'libsignal/src/protobufs.js'

/** The sender's identity key (33 bytes, with its type byte) in a prekey message; undefined if it is none. */
export function identityOfPreKeyMessage(ciphertext: Uint8Array): Uint8Array | undefined {
  const version = ciphertext[0]
  if (version === undefined || (version & 0x0f) !== 3) return undefined
  try {
    const { identityKey } = PreKeyWhisperMessage.decode(ciphertext.subarray(1))
    return identityKey?.length === 33 ? identityKey : undefined
  } catch {
    return undefined
  }
}
