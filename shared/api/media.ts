import { z } from 'zod'
import { essenceOf, mediaBytesMax } from '../domain/media.ts'
import { type MediaRow, mediaErrorCodes } from '../domain/stores/media.ts'
import { idSchema, isoTimeSchema } from './common.ts'
import { given } from './connections.ts'

/** Seconds that the address of an upload or a download is good for. */
export const uploadSeconds = 3_600
export const downloadSeconds = 900

const contentTypeSchema = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}(?:\s*;[\x20-\x7e]*)?$/, 'is not a media type')
  .meta({ description: 'Media type of the file; sent with the upload as `Content-Type`.', example: 'application/pdf' })

export const createMediaSchema = z
  .strictObject({
    contentType: contentTypeSchema,
    size: z.int().min(1).max(mediaBytesMax).meta({ description: 'Bytes, exactly.' }),
    filename: z
      .string()
      .trim()
      .min(1)
      .max(255)
      .regex(/^[^\p{C}/\\]+$/u, 'must be a name without folders')
      .optional()
      .meta({ description: 'Shown for documents that are sent without a name of their own.', example: 'bill.pdf' }),
    sha256: z
      .string()
      .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be the base64 of 32 bytes')
      .optional()
      .meta({ description: 'Base64. S3 then refuses other bytes.' }),
  })
  .meta({ id: 'CreateMedia' })
export type CreateMedia = z.output<typeof createMediaSchema>

const mediaFields = {
  mediaId: idSchema,
  state: z.enum(['waiting', 'fetching', 'ready', 'failed']).meta({
    description:
      '`waiting`: for its upload. `fetching`: the operation `operationId` brings it from WhatsApp. `ready`: it can be sent and downloaded. `failed`: `error` says why.',
  }),
  contentType: z.string(),
  size: z.int().optional().meta({ description: 'Bytes.' }),
  sha256: z.string().optional().meta({ description: 'Base64.' }),
  filename: z.string().optional(),
  operationId: idSchema.optional().meta({ description: 'While it is `fetching`: the operation to poll.' }),
  error: z.strictObject({ code: z.enum(mediaErrorCodes), message: z.string() }).optional(),
  createdAt: isoTimeSchema,
  expiresAt: isoTimeSchema.meta({ description: 'When it is gone.' }),
}

export const newMediaSchema = z
  .strictObject({
    ...mediaFields,
    upload: z.strictObject({
      method: z.literal('PUT'),
      url: z.string().meta({ description: 'Where the bytes go, as they are.' }),
      headers: z
        .record(z.string(), z.string())
        .meta({ description: 'To be sent with them. Browsers set `Content-Length` by themselves.' }),
      expiresAt: isoTimeSchema,
    }),
  })
  .meta({ id: 'NewMedia' })
export type NewMedia = z.infer<typeof newMediaSchema>

export const mediaSchema = z
  .strictObject({
    ...mediaFields,
    download: z
      .strictObject({ url: z.string(), expiresAt: isoTimeSchema })
      .optional()
      .meta({ description: 'When it is ready: where it is, for some minutes, without a key.' }),
  })
  .meta({ id: 'Media' })
export type Media = z.infer<typeof mediaSchema>

/** The public shape of a medium, without its addresses. */
export function toMedia(row: MediaRow) {
  return {
    mediaId: row.mediaId,
    state: row.state,
    contentType: row.contentType,
    ...given('size', row.size),
    ...given('sha256', row.sha256),
    ...given('filename', row.filename),
    ...given('operationId', row.operationId),
    ...given('error', row.error),
    createdAt: row.createdAt,
    expiresAt: new Date(row.expireAt * 1_000).toISOString(),
  }
}

/** What browsers show by themselves without running anything of it; the rest is offered for saving. */
export const isShownInline = (contentType: string): boolean =>
  /^(?:image\/(?:jpeg|png|webp|gif)|video\/(?:mp4|3gpp)|audio\/)/.test(essenceOf(contentType))
