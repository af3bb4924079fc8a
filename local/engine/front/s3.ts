/** S3's REST protocol over the store on disk: objects, listing, multipart uploads, copies, presigned URLs. */
import { createHash, randomUUID } from 'node:crypto'
import type { BucketSpec } from '../template/specs.ts'
import { fromXml, xml, xmlAnswer } from './answers.ts'
import { type Answer, type Demand, type FrontCall, type FrontService, ServiceError } from './call.ts'
import { viaService } from './dynamodb.ts'
import { s3Body } from './s3-body.ts'
import { listing } from './s3-listing.ts'
import type { Conditions, S3Store, StoredObject } from './s3-store.ts'

type Operation =
  | 'HeadBucket'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'GetObject'
  | 'HeadObject'
  | 'PutObject'
  | 'CopyObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'Preflight'

interface Upload {
  readonly bucket: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly parts: Map<number, Buffer>
}

export function s3Service(buckets: readonly BucketSpec[], store: S3Store, region: string): FrontService {
  const uploads = new Map<string, Upload>()
  const bucketArn = (bucket: string): string => `arn:aws:s3:::${bucket}`
  const demand = (action: string, bucket: string, key?: string): Demand => ({
    action: `s3:${action}`,
    resource: key === undefined ? bucketArn(bucket) : `${bucketArn(bucket)}/${key}`,
    context: {},
    owner: bucketArn(bucket),
  })
  const keyDemands = (bucket: string, ...actions: readonly string[]): readonly Demand[] => {
    const keyArn = buckets.find(({ name }) => name === bucket)?.keyArn
    return keyArn === undefined
      ? []
      : actions.map((action) => ({ action: `kms:${action}`, resource: keyArn, context: viaService('s3', region) }))
  }

  return {
    protocol: { kind: 's3' },
    demands(call) {
      const { bucket, key } = address(call)
      switch (operationOf(call)) {
        case 'Preflight':
          return []
        case 'HeadBucket':
          return [demand('ListBucket', bucket)]
        case 'ListObjectsV2':
          return [{ ...demand('ListBucket', bucket), context: { 's3:prefix': [call.query.get('prefix') ?? ''] } }]
        case 'DeleteObjects':
          return keysToDelete(call).map((each) => demand('DeleteObject', bucket, each))
        case 'GetObject':
        case 'HeadObject':
          return [demand('GetObject', bucket, key), ...keyDemands(bucket, 'Decrypt')]
        case 'PutObject':
          return [demand('PutObject', bucket, key), ...keyDemands(bucket, 'GenerateDataKey')]
        case 'CopyObject': {
          const source = copySource(call)
          return [
            demand('GetObject', source.bucket, source.key),
            ...keyDemands(source.bucket, 'Decrypt'),
            demand('PutObject', bucket, key),
            ...keyDemands(bucket, 'GenerateDataKey'),
          ]
        }
        case 'DeleteObject':
          return [demand('DeleteObject', bucket, key)]
        case 'CreateMultipartUpload':
          return [demand('PutObject', bucket, key), ...keyDemands(bucket, 'GenerateDataKey')]
        case 'UploadPart':
        case 'CompleteMultipartUpload':
          return [demand('PutObject', bucket, key), ...keyDemands(bucket, 'GenerateDataKey', 'Decrypt')]
        case 'AbortMultipartUpload':
          return [demand('AbortMultipartUpload', bucket, key)]
      }
    },
    async handle(call) {
      const { bucket, key } = address(call)
      if (!store.has(bucket)) throw new ServiceError('NoSuchBucket', 'The specified bucket does not exist', 404)
      const answer = perform(operationOf(call), call, bucket, key)
      return {
        ...answer,
        headers: {
          'x-amz-request-id': randomUUID(),
          ...answer.headers,
          ...cors(
            call,
            buckets.find(({ name }) => name === bucket),
          ),
        },
      }
    },
  }

  function perform(operation: Operation, call: FrontCall, bucket: string, key: string): Answer {
    switch (operation) {
      case 'Preflight':
        return { status: 200, headers: {}, body: '' }
      case 'HeadBucket':
        return { status: 200, headers: { 'x-amz-bucket-region': region }, body: '' }
      case 'ListObjectsV2':
        return xmlAnswer(listing(bucket, store.list(bucket), call.query))
      case 'DeleteObjects': {
        const keys = keysToDelete(call)
        for (const each of keys) store.remove(bucket, each)
        return xmlAnswer(
          `<DeleteResult>${keys.map((each) => `<Deleted><Key>${xml(each)}</Key></Deleted>`).join('')}</DeleteResult>`,
        )
      }
      case 'GetObject':
      case 'HeadObject':
        return read(call, bucket, key, operation === 'GetObject')
      case 'PutObject': {
        const { bytes, checksums } = s3Body(call.body, call.headers)
        const object = store.put(
          bucket,
          key,
          bytes,
          { contentType: contentType(call), headers: { ...kept(call), ...checksums } },
          conditions(call),
        )
        return { status: 200, headers: { etag: object.etag, ...checksums }, body: '' }
      }
      case 'CopyObject': {
        const source = copySource(call)
        const found = existing(source.bucket, source.key)
        const own = call.headers['x-amz-metadata-directive'] === 'REPLACE'
        const about = own ? { contentType: contentType(call), headers: kept(call) } : found
        const object = store.put(bucket, key, store.read(source.bucket, found), about, conditions(call))
        return xmlAnswer(
          `<CopyObjectResult><ETag>${xml(object.etag)}</ETag><LastModified>${object.modified}</LastModified></CopyObjectResult>`,
        )
      }
      case 'DeleteObject':
        store.remove(bucket, key)
        return { status: 204, headers: {}, body: '' }
      case 'CreateMultipartUpload': {
        const id = randomUUID()
        uploads.set(id, { bucket, key, headers: kept(call), contentType: contentType(call), parts: new Map() })
        const fields = `<Bucket>${xml(bucket)}</Bucket><Key>${xml(key)}</Key><UploadId>${id}</UploadId>`
        return xmlAnswer(`<InitiateMultipartUploadResult>${fields}</InitiateMultipartUploadResult>`)
      }
      case 'UploadPart': {
        const { bytes, checksums } = s3Body(call.body, call.headers)
        upload(call).parts.set(Number(call.query.get('partNumber')), bytes)
        return { status: 200, headers: { etag: `"${md5(bytes)}"`, ...checksums }, body: '' }
      }
      case 'CompleteMultipartUpload':
        return complete(call, bucket, key)
      case 'AbortMultipartUpload':
        upload(call)
        uploads.delete(call.query.get('uploadId') ?? '')
        return { status: 204, headers: {}, body: '' }
    }
  }

  function existing(bucket: string, key: string): StoredObject {
    const object = store.get(bucket, key)
    if (object === undefined) throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404)
    return object
  }

  function read(call: FrontCall, bucket: string, key: string, withBody: boolean): Answer {
    const object = existing(bucket, key)
    const etag = object.etag.replaceAll('"', '')
    const { ifMatch, ifNoneMatch } = conditions(call)
    if (ifMatch !== undefined && ifMatch.replaceAll('"', '') !== etag)
      throw new ServiceError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412)
    const headers: Record<string, string> = {
      etag: object.etag,
      'last-modified': new Date(object.modified).toUTCString(),
      'content-type': object.contentType,
      'accept-ranges': 'bytes',
    }
    if (ifNoneMatch !== undefined && ifNoneMatch.replaceAll('"', '') === etag) return { status: 304, headers, body: '' }
    const wantsChecksum = call.headers['x-amz-checksum-mode'] === 'ENABLED' && call.headers.range === undefined
    for (const [name, value] of Object.entries(object.headers)) {
      if (!name.startsWith('x-amz-checksum-') || wantsChecksum) headers[name] = value
    }
    for (const [parameter, header] of Object.entries(RESPONSE_OVERRIDES)) {
      const value = call.query.get(parameter)
      if (value !== null) headers[header] = value
    }
    if (!withBody) return { status: 200, headers: { ...headers, 'content-length': String(object.size) }, body: '' }
    const bytes = store.read(bucket, object)
    const range = /^bytes=(\d*)-(\d*)$/.exec(call.headers.range ?? '')
    if (range === null) return { status: 200, headers, body: bytes }
    const [, from = '', to = ''] = range
    const start = from === '' ? Math.max(0, bytes.length - Number(to)) : Number(from)
    const end = from === '' || to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1)
    if (start > end) throw new ServiceError('InvalidRange', 'The requested range is not satisfiable', 416)
    return {
      status: 206,
      headers: { ...headers, 'content-range': `bytes ${start}-${end}/${bytes.length}` },
      body: bytes.subarray(start, end + 1),
    }
  }

  function upload(call: FrontCall): Upload {
    const found = uploads.get(call.query.get('uploadId') ?? '')
    if (found === undefined) throw new ServiceError('NoSuchUpload', 'The specified upload does not exist.', 404)
    return found
  }

  /** The ETag of an object in parts: MD5 over the parts' MD5s, and their number. */
  function complete(call: FrontCall, bucket: string, key: string): Answer {
    const { parts, headers, contentType } = upload(call)
    const numbers = [...call.body.toString('utf8').matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) =>
      Number(match[1]),
    )
    const chosen = numbers.map((number) => {
      const part = parts.get(number)
      if (part === undefined) throw new ServiceError('InvalidPart', `Part ${number} was never uploaded`)
      return part
    })
    if (chosen.length === 0) throw new ServiceError('MalformedXML', 'The list of parts is empty')
    const digests = Buffer.concat(chosen.map((part) => createHash('md5').update(part).digest()))
    const etag = `"${md5(digests)}-${chosen.length}"`
    store.put(bucket, key, Buffer.concat(chosen), { contentType, headers, etag }, conditions(call))
    uploads.delete(call.query.get('uploadId') ?? '')
    const fields = `<Bucket>${xml(bucket)}</Bucket><Key>${xml(key)}</Key><ETag>${xml(etag)}</ETag>`
    return xmlAnswer(`<CompleteMultipartUploadResult>${fields}</CompleteMultipartUploadResult>`)
  }
}

const RESPONSE_OVERRIDES = {
  'response-content-type': 'content-type',
  'response-content-disposition': 'content-disposition',
  'response-cache-control': 'cache-control',
}

/** Path style only: the endpoint is an IP address, for which SDKs use it. */
function address(call: FrontCall): { readonly bucket: string; readonly key: string } {
  const [, bucket = '', key = ''] = /^\/([^/]+)\/?(.*)$/.exec(call.path) ?? []
  if (bucket === '') throw new ServiceError('NotImplemented', 'Local mode does not list buckets', 501)
  return { bucket, key: decodeURIComponent(key) }
}

function operationOf(call: FrontCall): Operation {
  const { key } = address(call)
  const { method, query } = call
  if (method === 'OPTIONS') return 'Preflight'
  if (key === '') {
    if (method === 'HEAD') return 'HeadBucket'
    if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2'
    if (method === 'POST' && query.has('delete')) return 'DeleteObjects'
  } else if (query.has('uploadId')) {
    if (method === 'PUT') return 'UploadPart'
    if (method === 'POST') return 'CompleteMultipartUpload'
    if (method === 'DELETE') return 'AbortMultipartUpload'
  } else if (query.has('uploads')) {
    if (method === 'POST') return 'CreateMultipartUpload'
  } else if (
    !['acl', 'tagging', 'retention', 'legal-hold', 'attributes', 'torrent', 'versionId'].some((name) => query.has(name))
  ) {
    if (method === 'GET') return 'GetObject'
    if (method === 'HEAD') return 'HeadObject'
    if (method === 'PUT') return call.headers['x-amz-copy-source'] === undefined ? 'PutObject' : 'CopyObject'
    if (method === 'DELETE') return 'DeleteObject'
  }
  const asked = [...query.keys()].filter((name) => name !== 'x-id' && !name.startsWith('X-Amz-')).join(', ')
  throw new ServiceError('NotImplemented', `Local mode's S3 does not know ${method} with ${asked || 'this path'}`, 501)
}

function copySource(call: FrontCall): { readonly bucket: string; readonly key: string } {
  const source = decodeURIComponent(String(call.headers['x-amz-copy-source'])).replace(/^\//, '')
  const slash = source.indexOf('/')
  return { bucket: source.slice(0, slash), key: source.slice(slash + 1) }
}

function keysToDelete(call: FrontCall): readonly string[] {
  return [...call.body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => fromXml(match[1] ?? ''))
}

function conditions(call: FrontCall): Conditions {
  const ifMatch = call.headers['if-match']
  const ifNoneMatch = call.headers['if-none-match']
  return { ...(ifMatch === undefined ? {} : { ifMatch }), ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }) }
}

function contentType(call: FrontCall): string {
  return call.headers['content-type'] ?? 'binary/octet-stream'
}

/** What an object gives back with each read. */
function kept(call: FrontCall): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(call.headers)) {
    const keeps =
      name.startsWith('x-amz-meta-') ||
      ['cache-control', 'content-disposition', 'content-language', 'expires'].includes(name)
    if (keeps && typeof value === 'string') headers[name] = value
  }
  const encoding = String(call.headers['content-encoding'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== 'aws-chunked')
  if (encoding.length > 0) headers['content-encoding'] = encoding.join(', ')
  return headers
}

function cors(call: FrontCall, bucket: BucketSpec | undefined): Readonly<Record<string, string>> {
  const origin = call.headers.origin
  const method = call.headers['access-control-request-method'] ?? call.method
  const rule = bucket?.cors.find(
    ({ origins, methods }) =>
      (origins.includes('*') || origins.includes(origin ?? '')) && methods.includes(String(method)),
  )
  if (origin === undefined || rule === undefined) return {}
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': rule.methods.join(', '),
    ...(rule.headers.length === 0
      ? {}
      : {
          'access-control-allow-headers': rule.headers.includes('*')
            ? String(call.headers['access-control-request-headers'] ?? '*')
            : rule.headers.join(', '),
        }),
    ...(rule.exposed.length === 0 ? {} : { 'access-control-expose-headers': rule.exposed.join(', ') }),
  }
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
