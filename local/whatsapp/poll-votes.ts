/**
 * Poll votes: the chosen options' SHA-256, in AES-256-GCM under a key that comes from the poll's secret, its id, and the
 * addresses of who made it and of who votes. Addresses carry no device.
 */

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'

export interface PollContext {
  pollId: string
  secret: Buffer
  creatorJid: string
  voterJid: string
}

const IV_BYTES = 12
const TAG_BYTES = 16

function voteKey({ pollId, secret, creatorJid, voterJid }: PollContext): Buffer {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(secret).digest()
  return createHmac('sha256', extracted).update(`${pollId}${creatorJid}${voterJid}Poll Vote`).update('\x01').digest()
}

function boundTo({ pollId, voterJid }: PollContext): Buffer {
  return Buffer.from(`${pollId}\0${voterJid}`)
}

export function optionHash(option: string): Buffer {
  return createHash('sha256').update(option).digest()
}

export function encryptVote(options: readonly string[], poll: PollContext): proto.Message.IPollEncValue {
  const plaintext = proto.Message.PollVoteMessage.encode({ selectedOptions: options.map(optionHash) }).finish()
  const encIv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', voteKey(poll), encIv).setAAD(boundTo(poll))
  return { encIv, encPayload: Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]) }
}

/** The chosen ones of these options, or undefined if the vote was not made in this context. */
export function decryptVote(
  vote: proto.Message.IPollEncValue | null | undefined,
  poll: PollContext,
  options: readonly string[],
): string[] | undefined {
  const { encIv, encPayload } = vote ?? {}
  if (encIv?.length !== IV_BYTES || !encPayload || encPayload.length < TAG_BYTES) return undefined
  const end = encPayload.length - TAG_BYTES
  try {
    const decipher = createDecipheriv('aes-256-gcm', voteKey(poll), encIv)
      .setAAD(boundTo(poll))
      .setAuthTag(encPayload.subarray(end))
    const plaintext = Buffer.concat([decipher.update(encPayload.subarray(0, end)), decipher.final()])
    const chosen = proto.Message.PollVoteMessage.decode(plaintext).selectedOptions ?? []
    return options.filter((option) => chosen.some((hash) => optionHash(option).equals(hash)))
  } catch {
    return undefined
  }
}
