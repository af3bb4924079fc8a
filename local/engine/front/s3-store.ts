/**
 * Objects on disk. fauxqs' S3 ignores If-Match and If-None-Match and keeps objects in memory; this one holds both, and what
 * it acknowledged survives a restart: the bytes are flushed under a fresh name first, then one rename of the object's record
 * makes them count.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ServiceError } from './call.ts'

export interface StoredObject {
  readonly key: string
  /** Quoted, as in the header. */
  readonly etag: string
  readonly size: number
  /** ISO 8601. */
  readonly modified: string
  readonly contentType: string
  /** `x-amz-meta-*`, `cache-control` and the like, and `x-amz-checksum-*`. */
  readonly headers: Readonly<Record<string, string>>
  /** Name of the file with the bytes. */
  readonly file: string
}

export interface Conditions {
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
}

export interface S3Store {
  has(bucket: string): boolean
  get(bucket: string, key: string): StoredObject | undefined
  read(bucket: string, object: StoredObject): Buffer
  put(
    bucket: string,
    key: string,
    bytes: Buffer,
    about: Pick<StoredObject, 'contentType' | 'headers'> & { readonly etag?: string },
    conditions: Conditions,
  ): StoredObject
  remove(bucket: string, key: string): void
  /** Sorted by the key's UTF-8 bytes. */
  list(bucket: string): readonly StoredObject[]
}

export function openS3Store(directory: string, buckets: readonly string[]): S3Store {
  const contents = new Map(buckets.map((bucket) => [bucket, load(join(directory, bucket))]))
  const objects = (bucket: string): Map<string, StoredObject> => {
    const found = contents.get(bucket)
    if (found === undefined) throw new ServiceError('NoSuchBucket', 'The specified bucket does not exist', 404)
    return found
  }
  const dataFile = (bucket: string, file: string): string => join(directory, bucket, 'data', file)
  const recordFile = (bucket: string, key: string): string => join(directory, bucket, 'records', `${sha256(key)}.json`)

  return {
    has: (bucket) => contents.has(bucket),
    get: (bucket, key) => objects(bucket).get(key),
    read: (bucket, object) => readFileSync(dataFile(bucket, object.file)),
    put(bucket, key, bytes, about, conditions) {
      const before = objects(bucket).get(key)
      check(before, conditions)
      const file = randomUUID()
      writeDurably(dataFile(bucket, file), bytes)
      const object: StoredObject = {
        key,
        etag: about.etag ?? `"${createHash('md5').update(bytes).digest('hex')}"`,
        size: bytes.length,
        modified: new Date().toISOString(),
        contentType: about.contentType,
        headers: about.headers,
        file,
      }
      writeDurably(`${recordFile(bucket, key)}.new`, Buffer.from(JSON.stringify(object)))
      renameSync(`${recordFile(bucket, key)}.new`, recordFile(bucket, key))
      objects(bucket).set(key, object)
      if (before !== undefined) rmSync(dataFile(bucket, before.file), { force: true })
      return object
    },
    remove(bucket, key) {
      const before = objects(bucket).get(key)
      if (before === undefined) return
      rmSync(recordFile(bucket, key), { force: true })
      objects(bucket).delete(key)
      rmSync(dataFile(bucket, before.file), { force: true })
    },
    list: (bucket) =>
      [...objects(bucket).values()].sort((left, right) =>
        Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)),
      ),
  }
}

/** Between this check and the rename nothing else runs: of many racing writers exactly one passes. */
function check(before: StoredObject | undefined, { ifMatch, ifNoneMatch }: Conditions): void {
  const failed = (): never => {
    throw new ServiceError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412)
  }
  if (ifNoneMatch === '*' && before !== undefined) failed()
  if (ifMatch === undefined) return
  if (before === undefined) throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404)
  if (ifMatch.replaceAll('"', '') !== before.etag.replaceAll('"', '')) failed()
}

function load(directory: string): Map<string, StoredObject> {
  const objects = new Map<string, StoredObject>()
  mkdirSync(join(directory, 'data'), { recursive: true })
  mkdirSync(join(directory, 'records'), { recursive: true })
  for (const name of readdirSync(join(directory, 'records'))) {
    if (!name.endsWith('.json')) continue
    const object = JSON.parse(readFileSync(join(directory, 'records', name), 'utf8')) as StoredObject
    if (existsSync(join(directory, 'data', object.file))) objects.set(object.key, object)
  }
  // Bytes whose record was never renamed into place were never acknowledged.
  const known = new Set([...objects.values()].map(({ file }) => file))
  for (const file of readdirSync(join(directory, 'data'))) {
    if (!known.has(file)) rmSync(join(directory, 'data', file), { force: true })
  }
  return objects
}

function writeDurably(path: string, bytes: Buffer): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeFileSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
