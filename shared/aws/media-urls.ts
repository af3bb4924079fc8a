import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { BusinessProfileId } from '../domain/words.ts'
import { type MediaBucket, mediaObjectKey } from './media-objects.ts'

export interface UploadAddress {
  readonly url: string
  /** To be sent as they are; S3 refuses an upload with others. */
  readonly headers: Readonly<Record<string, string>>
}

export interface MediaUrls {
  /** For exactly so many bytes of that type. Made without a request. */
  upload(
    businessProfileId: BusinessProfileId,
    mediaId: string,
    file: { readonly contentType: string; readonly size: number; readonly sha256?: string },
    seconds: number,
  ): Promise<UploadAddress>
  /** Made without a request: whether the object is there is not asked. */
  download(
    businessProfileId: BusinessProfileId,
    mediaId: string,
    as: { readonly contentType: string; readonly disposition: string },
    seconds: number,
  ): Promise<string>
}

const checksumHeader = 'x-amz-checksum-sha256'

/** Addresses that stand for one call each, signed with the caller's own rights. */
export function mediaUrls({ objects, bucket }: MediaBucket): MediaUrls {
  return {
    async upload(businessProfileId, mediaId, { contentType, size, sha256 }, seconds) {
      const put = new PutObjectCommand({
        Bucket: bucket,
        Key: mediaObjectKey(businessProfileId, mediaId),
        ContentType: contentType,
        ContentLength: size,
        ChecksumSHA256: sha256,
      })
      const bound = ['content-type', 'content-length', ...(sha256 === undefined ? [] : [checksumHeader])]
      const url = await getSignedUrl(objects, put, {
        expiresIn: seconds,
        signableHeaders: new Set(['host', ...bound]),
        unhoistableHeaders: new Set(bound),
      })
      return {
        url,
        headers: {
          'Content-Type': contentType,
          'Content-Length': String(size),
          ...(sha256 === undefined ? {} : { [checksumHeader]: sha256 }),
        },
      }
    },

    download(businessProfileId, mediaId, { contentType, disposition }, seconds) {
      const get = new GetObjectCommand({
        Bucket: bucket,
        Key: mediaObjectKey(businessProfileId, mediaId),
        ResponseContentType: contentType,
        ResponseContentDisposition: disposition,
      })
      return getSignedUrl(objects, get, { expiresIn: seconds })
    },
  }
}
