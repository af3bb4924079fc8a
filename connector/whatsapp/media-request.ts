import { getContentType, isJidGroup, type proto, type WAMessage } from '@whiskeysockets/baileys'
import { receivedMedium } from '../../shared/domain/content.ts'
import type { InboundRow } from '../ports.ts'

/** As much of a received message as asking its sender's phone for the medium again takes. */
export function mediaRequest(row: InboundRow): WAMessage | undefined {
  const received = receivedMedium(row.content)
  const source = received?.medium.source
  if (received === undefined || source === undefined) return undefined
  const participant = isJidGroup(row.chat) && row.sender !== undefined ? { participant: row.sender } : {}
  const medium = { mediaKey: Buffer.from(source.mediaKey, 'base64'), directPath: source.directPath }
  return {
    key: { remoteJid: row.chat, id: row.whatsappId, fromMe: false, ...participant },
    message: { [`${received.kind}Message`]: medium },
  } as WAMessage
}

export function directPathOf(message: proto.IMessage | null | undefined): string | undefined {
  const kind = getContentType(message ?? undefined)
  const medium = kind && (message?.[kind] as { readonly directPath?: string | null } | null | undefined)
  return medium ? (medium.directPath ?? undefined) : undefined
}

/** HTTP status in whose terms Baileys says what went wrong. */
export function statusOf(error: unknown): number | undefined {
  const output = error instanceof Error && 'output' in error ? error.output : undefined
  return (output as { readonly statusCode?: number } | undefined)?.statusCode
}
