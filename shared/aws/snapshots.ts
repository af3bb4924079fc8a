import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { type SnapshotRef, SnapshotUnreadable } from '../domain/stores/auth.ts'
import type { ConnectionRef, Epoch } from '../domain/words.ts'

export interface SnapshotBucket {
  readonly objects: S3Client
  readonly bucket: string
}

const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest()

const prefixOf = (ref: ConnectionRef): string => `${ref.businessProfileId}/${ref.connectionId}/`

/** Uploads under a key that nobody used before; S3 itself compares the bytes that arrive with the checksum. */
export async function writeSnapshot(
  { objects, bucket }: SnapshotBucket,
  ref: ConnectionRef,
  epoch: Epoch,
  seq: number,
  nonce: string,
  data: Uint8Array,
): Promise<SnapshotRef> {
  const key = `${prefixOf(ref)}${epoch}-${seq}-${nonce}`
  const checksum = sha256(data)
  await objects.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: data,
      ContentLength: data.byteLength,
      ContentType: 'application/octet-stream',
      ChecksumSHA256: checksum.toString('base64'),
    }),
  )
  return { key, seq, checksum: checksum.toString('hex'), bytes: data.byteLength }
}

/** @throws SnapshotUnreadable for a missing object, another length, another checksum. Other failures pass through as they are. */
export async function readSnapshot({ objects, bucket }: SnapshotBucket, ref: SnapshotRef): Promise<Uint8Array> {
  const data = await objects
    .send(new GetObjectCommand({ Bucket: bucket, Key: ref.key }))
    .then((answer) => {
      if (answer.Body === undefined) throw new SnapshotUnreadable(ref.key, 'the answer has no body')
      return answer.Body.transformToByteArray()
    })
    .catch((error: unknown) => {
      throw error instanceof NoSuchKey ? new SnapshotUnreadable(ref.key, 'the object is missing') : error
    })
  if (data.byteLength !== ref.bytes) {
    throw new SnapshotUnreadable(ref.key, `it has ${data.byteLength} bytes, expected ${ref.bytes}`)
  }
  if (sha256(data).toString('hex') !== ref.checksum) throw new SnapshotUnreadable(ref.key, 'its checksum differs')
  return data
}

export async function deleteSnapshot({ objects, bucket }: SnapshotBucket, key: string): Promise<void> {
  await objects.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
}

/** Every snapshot of a connection, also those that no head ever pointed to. They are few: two and what crashes left. */
export async function deleteSnapshotsOf(store: SnapshotBucket, ref: ConnectionRef): Promise<void> {
  let next: string | undefined
  do {
    const page = await store.objects.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefixOf(ref), ContinuationToken: next }),
    )
    await Promise.all((page.Contents ?? []).map(({ Key }) => Key && deleteSnapshot(store, Key)))
    next = page.NextContinuationToken
  } while (next !== undefined)
}
