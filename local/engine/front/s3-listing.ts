/** ListObjectsV2: pages in key order, with prefix and delimiter. */
import { xml } from './answers.ts'
import type { StoredObject } from './s3-store.ts'

type Entry =
  | { readonly kind: 'object'; readonly object: StoredObject }
  | { readonly kind: 'prefix'; readonly prefix: string }

/** @param objects in key order */
export function listing(bucket: string, objects: readonly StoredObject[], query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const limit = Math.min(Number(query.get('max-keys') ?? 1000), 1000)
  const token = query.get('continuation-token')
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8')
  const encode = query.get('encoding-type') === 'url' ? encodeKey : xml

  const all = entries(objects, prefix, delimiter).filter((entry) => keyOf(entry) > after)
  const page = all.slice(0, limit)
  const last = page.at(-1)
  const truncated = all.length > page.length
  const next = truncated && last !== undefined ? Buffer.from(keyOf(last)).toString('base64url') : undefined
  const body = page.map((entry) =>
    entry.kind === 'prefix'
      ? `<CommonPrefixes><Prefix>${encode(entry.prefix)}</Prefix></CommonPrefixes>`
      : `<Contents><Key>${encode(entry.object.key)}</Key><LastModified>${entry.object.modified}</LastModified>` +
        `<ETag>${xml(entry.object.etag)}</ETag><Size>${entry.object.size}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  )
  return [
    `<ListBucketResult><Name>${xml(bucket)}</Name><Prefix>${encode(prefix)}</Prefix><KeyCount>${page.length}</KeyCount>`,
    `<MaxKeys>${limit}</MaxKeys><IsTruncated>${truncated}</IsTruncated>`,
    query.get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '',
    next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`,
    ...body,
    '</ListBucketResult>',
  ].join('')
}

function entries(objects: readonly StoredObject[], prefix: string, delimiter: string): readonly Entry[] {
  const found: Entry[] = []
  let common: string | undefined
  for (const object of objects) {
    if (!object.key.startsWith(prefix)) continue
    const cut = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length)
    if (cut < 0) {
      found.push({ kind: 'object', object })
      continue
    }
    const shared = object.key.slice(0, cut + delimiter.length)
    if (shared !== common) found.push({ kind: 'prefix', prefix: shared })
    common = shared
  }
  return found
}

function keyOf(entry: Entry): string {
  return entry.kind === 'prefix' ? entry.prefix : entry.object.key
}

function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%2F', '/')
}
