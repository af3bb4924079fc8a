import { toBuffer, toString as toSvg } from 'qrcode'
import { Problem } from '../../shared/api/problems.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { IsoTime } from '../../shared/domain/words.ts'
import { preferredMediaType } from './accept.ts'
import type { Answer } from './operation.ts'

const mediaTypes = ['application/json', 'image/png', 'image/svg+xml'] as const

/** The connection's current QR code in the form that the caller prefers. @throws Problem where there is none to scan. */
export async function qrAnswer(
  row: ConnectionRow,
  accept: string | undefined,
  now: IsoTime,
): Promise<Answer<'getConnectionQr'>> {
  const mediaType = preferredMediaType(accept, mediaTypes)
  if (mediaType === undefined) {
    throw new Problem('not_acceptable', { detail: `This call gives ${mediaTypes.join(', ')}.` })
  }
  const { text, expiresAt } = currentQr(row, now)
  const vary = { vary: 'accept' }
  switch (mediaType) {
    case 'application/json':
      return { body: { qr: text, expiresAt }, headers: vary }
    case 'image/png':
      return { mediaType, content: await toBuffer(text, { type: 'png', width: 400, margin: 4 }), headers: vary }
    case 'image/svg+xml':
      return { mediaType, content: await toSvg(text, { type: 'svg', margin: 4 }), headers: vary }
  }
}

function currentQr(row: ConnectionRow, now: IsoTime): NonNullable<ConnectionRow['qr']> {
  if (row.status !== 'qr_pending') {
    throw new Problem('qr_not_available', { detail: `The connection is ${row.status} (${row.reason}): ${row.message}` })
  }
  if (row.reason === 'passkey_required') throw new Problem('qr_not_available', { detail: row.message })
  if (row.pairing === 'code') {
    throw new Problem('qr_not_available', { detail: 'This connection is paired by code: see pairingCode.' })
  }
  if (row.qr === undefined || row.qr.expiresAt <= now) {
    throw new Problem('qr_not_ready', { detail: 'The next QR code comes in a moment.', retryAfterSeconds: 1 })
  }
  return row.qr
}
