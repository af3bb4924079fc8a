import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  NotFound,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { type SnapshotRef, SnapshotUnreadable } from '../domain/stores/auth.ts'
import { readSnapshot, type SnapshotBucket } from './snapshots.ts'

/**
 * Sees to it that a snapshot is in the bucket: from a restored bucket where there is one, else from under the mark of its deletion,
 * which a versioned bucket keeps for its days.
 *
 * @returns whether it is there
 */
export async function bringBackSnapshot(
  ref: SnapshotRef,
  live: SnapshotBucket,
  restored?: SnapshotBucket,
): Promise<boolean> {
  if (await isThere(ref, live)) return true
  if (restored !== undefined && (await copyFrom(restored, ref, live))) return true
  return undelete(ref, live)
}

async function isThere({ key }: SnapshotRef, { objects, bucket }: SnapshotBucket): Promise<boolean> {
  try {
    await objects.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    return true
  } catch (error) {
    if (error instanceof NotFound || (error as Error).name === 'NotFound') return false
    throw error
  }
}

/** Through here, so that length and checksum are compared on the way. */
async function copyFrom(from: SnapshotBucket, ref: SnapshotRef, live: SnapshotBucket): Promise<boolean> {
  try {
    const data = await readSnapshot(from, ref)
    await live.objects.send(
      new PutObjectCommand({
        Bucket: live.bucket,
        Key: ref.key,
        Body: data,
        ContentLength: data.byteLength,
        ContentType: 'application/octet-stream',
        ChecksumSHA256: Buffer.from(ref.checksum, 'hex').toString('base64'),
      }),
    )
    return true
  } catch (error) {
    if (error instanceof SnapshotUnreadable) return false
    throw error
  }
}

/** Keys are used once, so a key has one version of data, and marks of deletion over it. */
async function undelete({ key }: SnapshotRef, { objects, bucket }: SnapshotBucket): Promise<boolean> {
  const { Versions = [], DeleteMarkers = [] } = await objects.send(
    new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key }),
  )
  if (!Versions.some((version) => version.Key === key)) return false
  for (const { Key, VersionId } of DeleteMarkers) {
    if (Key === key) await objects.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }))
  }
  return true
}
