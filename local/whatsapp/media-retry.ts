/**
 * A companion that could not download a medium asks its phone, in a `server-error` receipt encrypted under the medium's
 * key; the phone uploads the medium again and answers under the same key with the new path, or with why it can't.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { type Attributes, type BinaryNode, child, childBytes, node, unixSeconds } from './binary-node.ts'
import { formatJid } from './jids.ts'
import { mediaAddress, mediumId } from './media-http.ts'
import type { MessageView } from './message-view.ts'
import type { Simulator } from './simulator.ts'

const { SUCCESS, NOT_FOUND, DECRYPTION_ERROR } = proto.MediaRetryNotification.ResultType
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

function retryKey(mediaKey: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), 'WhatsApp Media Retry Notification', KEY_BYTES))
}

/** `view` is the message that the companion asks about, if the phone has it. */
export async function mediaRetryAnswer(
  simulator: Simulator,
  phoneNumber: string,
  receipt: BinaryNode,
  view: MessageView | undefined,
): Promise<BinaryNode> {
  const { id = '' } = receipt.attrs
  const rmr = child(receipt, 'rmr')?.attrs ?? {}
  const attrs: Attributes = {
    id,
    from: formatJid(phoneNumber, 's.whatsapp.net'),
    type: 'mediaretry',
    t: unixSeconds(simulator.now()),
  }
  const about = node('rmr', rmr)
  const failed = (code: number) => node('notification', attrs, [node('error', { code: code.toString() }), about])
  if (!view?.mediaKey || !view.directPath) return failed(NOT_FOUND)
  const key = retryKey(Buffer.from(view.mediaKey, 'base64'))
  if (!asksFor(receipt, key, id)) return failed(DECRYPTION_ERROR)
  const medium = mediumId(view.directPath)
  const renewed = medium && (await simulator.media.renew(medium))
  if (!renewed) return failed(NOT_FOUND)
  const { directPath } = mediaAddress(simulator, view.kind, renewed)
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(id))
  const notification = proto.MediaRetryNotification.encode({ stanzaId: id, directPath, result: SUCCESS }).finish()
  const sealed = Buffer.concat([cipher.update(notification), cipher.final(), cipher.getAuthTag()])
  const encrypt = node('encrypt', {}, [node('enc_p', {}, sealed), node('enc_iv', {}, iv)])
  return node('notification', attrs, [encrypt, about])
}

/** Whether the request is for this message and made by someone who has the medium's key. */
function asksFor(receipt: BinaryNode, key: Buffer, id: string): boolean {
  const encrypt = child(receipt, 'encrypt')
  const [sealed, iv] = [childBytes(encrypt, 'enc_p'), childBytes(encrypt, 'enc_iv')]
  if (!sealed || sealed.length < TAG_BYTES || iv?.length !== IV_BYTES) return false
  const end = sealed.length - TAG_BYTES
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(id)).setAuthTag(sealed.subarray(end))
    const plaintext = Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()])
    return proto.ServerErrorReceipt.decode(plaintext).stanzaId === id
  } catch {
    return false
  }
}
