import { readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import { configure } from '../config.ts'
import { log } from '../log.ts'

const { CONSOLE_BUCKET: bucket } = configure('CONSOLE_BUCKET')
const s3 = new S3Client({})

/** The built console, beside this bundle. */
const folder = join(dirname(fileURLToPath(import.meta.url)), 'console')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

/**
 * Puts the console's files and its configuration into their bucket when the stack is deployed, and takes them out when it is
 * deleted. Speaks CloudFormation's protocol of custom resources: the answer is put to an address of one use.
 */
export const handler = async (event: CloudFormationCustomResourceEvent): Promise<void> => {
  try {
    const wanted =
      event.RequestType === 'Delete' ? new Map<string, Buffer>() : filesOf(event.ResourceProperties['Config'])
    // The page last: whoever loads it finds what it names.
    for (const [key, body] of [...wanted].sort(([a], [b]) => Number(!isHashed(a)) - Number(!isHashed(b)))) {
      await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: body,
          ContentType: types[extname(key)] ?? 'application/octet-stream',
          CacheControl: isHashed(key) ? 'public, max-age=31536000, immutable' : 'no-cache',
        }),
      )
    }
    await removeAllBut(wanted)
    await answer(event, { Status: 'SUCCESS' })
  } catch (error) {
    log.error('the console could not be deployed', error as Error)
    await answer(event, { Status: 'FAILED', Reason: error instanceof Error ? error.message : String(error) })
  }
}

const isHashed = (key: string): boolean => key.startsWith('assets/')

function filesOf(config: unknown): ReadonlyMap<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map([
    ...files.map((file) => {
      const path = join(file.parentPath, file.name)
      return [relative(folder, path).split(sep).join(posix.sep), readFileSync(path)] as const
    }),
    ['config.json', Buffer.from(JSON.stringify(config))] as const,
  ])
}

async function removeAllBut(wanted: ReadonlyMap<string, Buffer>): Promise<void> {
  let token: string | undefined
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }))
    const Objects = (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined || wanted.has(Key) ? [] : [{ Key }]))
    if (Objects.length > 0)
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
    token = page.NextContinuationToken
  } while (token !== undefined)
}

async function answer(
  { ResponseURL, StackId, RequestId, LogicalResourceId }: CloudFormationCustomResourceEvent,
  result: { readonly Status: 'SUCCESS' } | { readonly Status: 'FAILED'; readonly Reason: string },
): Promise<void> {
  const body = JSON.stringify({
    ...result,
    StackId,
    RequestId,
    LogicalResourceId,
    PhysicalResourceId: `console-${bucket}`,
  })
  const response = await fetch(ResponseURL, { method: 'PUT', body, headers: { 'content-type': '' } })
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: HTTP ${response.status}`)
}
