import type { OperationErrorCode } from '../../../shared/domain/operations.ts'
import type { MediaErrorCode } from '../../../shared/domain/stores/media.ts'
import { type OperationHandlers, Refused } from './context.ts'

const codes: Readonly<Record<MediaErrorCode, OperationErrorCode>> = {
  gone: 'media_gone',
  damaged: 'media_gone',
  too_large: 'media_too_large',
  unreachable: 'media_unreachable',
}

export const mediaOperations: OperationHandlers<'download_media'> = {
  async download_media({ fetchMedium }, { messageId }) {
    const row = await fetchMedium(messageId)
    if (row === undefined) throw new Refused({ code: 'not_found', message: 'The message has no medium.' })
    const { mediaId, contentType, size, error } = row
    if (error !== undefined) throw new Refused({ code: codes[error.code], message: error.message })
    return { mediaId, contentType, size: size ?? 0 }
  },
}
