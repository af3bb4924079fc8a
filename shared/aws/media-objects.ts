import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { MediaObjects } from '../domain/stores/media.ts'
import type { BusinessProfileId } from '../domain/words.ts'

export interface MediaBucket {
  readonly objects: S3Client
  readonly bucket: string
}

export const mediaObjectKey = (businessProfileId: BusinessProfileId, mediaId: string): string =>
  `media/${businessProfileId}/${mediaId}`

/** S3's least size of a part, but for the last; 10,000 of them hold every medium. */
const partBytes = 5 * 1024 * 1024

/** Reading 1 request, writing 1 up to 5 MiB, else 2 and one for each 5 MiB. */
export function mediaObjects({ objects, bucket }: MediaBucket): MediaObjects {
  const at = (businessProfileId: BusinessProfileId, mediaId: string) => ({
    Bucket: bucket,
    Key: mediaObjectKey(businessProfileId, mediaId),
  })
  return {
    async head(businessProfileId, mediaId) {
      try {
        const answer = await objects.send(new HeadObjectCommand(at(businessProfileId, mediaId)))
        return {
          bytes: answer.ContentLength ?? 0,
          etag: answer.ETag ?? '',
          ...(answer.ContentType === undefined ? {} : { contentType: answer.ContentType }),
        }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async read(businessProfileId, mediaId, etag) {
      try {
        const answer = await objects.send(new GetObjectCommand({ ...at(businessProfileId, mediaId), IfMatch: etag }))
        if (answer.Body === undefined) throw new Error('S3 answered without a body')
        return {
          bytes: answer.ContentLength ?? 0,
          etag: answer.ETag ?? '',
          ...(answer.ContentType === undefined ? {} : { contentType: answer.ContentType }),
          body: answer.Body as unknown as AsyncIterable<Uint8Array>,
        }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async write(businessProfileId, mediaId, source, { contentType }) {
      const target = { ...at(businessProfileId, mediaId) }
      const typed = { ...target, ContentType: contentType }
      const parts = inParts(source)[Symbol.asyncIterator]()
      const first = (await parts.next()).value ?? Buffer.alloc(0)
      // Not known before the next is there: a part is used again.
      if (first.length < partBytes) {
        await objects.send(new PutObjectCommand({ ...typed, Body: first, ContentLength: first.length }))
        return
      }
      const { UploadId } = await objects.send(new CreateMultipartUploadCommand(typed))
      const done: { PartNumber: number; ETag: string | undefined }[] = []
      try {
        for (let part: Buffer | undefined = first; part !== undefined; part = (await parts.next()).value) {
          const PartNumber = done.length + 1
          const Body = part
          const sent = await objects.send(
            new UploadPartCommand({ ...target, UploadId, PartNumber, Body, ContentLength: Body.length }),
          )
          done.push({ PartNumber, ETag: sent.ETag })
        }
        await objects.send(
          new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: done } }),
        )
      } catch (error) {
        // What can't be taken back now is by the bucket's own rule.
        await objects.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => undefined)
        throw error
      } finally {
        await parts.return?.(undefined)
      }
    },

    async remove(businessProfileId, mediaId) {
      await objects.send(new DeleteObjectCommand(at(businessProfileId, mediaId)))
    },
  }
}

/**
 * The source in parts of one size, the last one shorter. They share one buffer: each is valid until the next is asked for, so
 * that a medium costs the memory of one part.
 */
async function* inParts(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, undefined> {
  const buffer = Buffer.allocUnsafe(partBytes)
  let filled = 0
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; ) {
      const taken = Math.min(chunk.length - from, partBytes - filled)
      buffer.set(chunk.subarray(from, from + taken), filled)
      from += taken
      filled += taken
      if (filled < partBytes) continue
      yield buffer
      filled = 0
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled)
  return undefined
}

/** Another object than asked for by its ETag is missing, too. */
function isMissing(error: unknown): boolean {
  if (error instanceof NoSuchKey || error instanceof NotFound) return true
  return error instanceof S3ServiceException && [404, 412].includes(error.$metadata.httpStatusCode ?? 0)
}
