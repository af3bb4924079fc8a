import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { MediaKind } from '../../shared/domain/content.ts'

/** How WhatsApp's media servers are reached. */
export interface MediaHosts {
  /** Names, with their ports where they have one, in the order of preference, and what uploads are allowed by. */
  current(renew?: boolean): Promise<{ readonly hosts: readonly string[]; readonly auth: string }>
  /** Without TLS: only for a WhatsApp server that is reached without TLS itself. */
  readonly plain: boolean
}

export class MediaHostFailure extends Error {
  /** HTTP status; absent: no answer. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.name = 'MediaHostFailure'
    this.status = status
  }
}

const paths: Readonly<Record<MediaKind, string>> = {
  image: '/mms/image',
  video: '/mms/video',
  audio: '/mms/audio',
  document: '/mms/document',
  sticker: '/mms/image',
}
const origin = 'https://web.whatsapp.com'
const silenceMs = 20_000
const answerBytesMax = 64 * 1024

/**
 * Puts a medium onto one of the hosts. `ciphertext` is asked for a fresh stream for each try.
 *
 * @throws MediaHostFailure where none of them took it
 */
export async function uploadToWhatsApp(
  hosts: MediaHosts,
  kind: MediaKind,
  encSha256: Buffer,
  bytes: number,
  ciphertext: () => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly directPath: string; readonly url: string }> {
  const token = encSha256.toString('base64url')
  let failure = new MediaHostFailure('WhatsApp named no media host')
  for (const renew of [false, true]) {
    const { hosts: names, auth } = await hosts.current(renew)
    for (const name of names) {
      const url = new URL(`${hosts.plain ? 'http' : 'https'}://${name}${paths[kind]}/${token}`)
      url.searchParams.set('auth', auth)
      url.searchParams.set('token', token)
      try {
        return placeOf(await post(url, bytes, ciphertext(), signal))
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof MediaHostFailure)) throw error
        failure = error
      }
    }
  }
  throw failure
}

function placeOf(answer: string): { readonly directPath: string; readonly url: string } {
  try {
    const { direct_path: directPath, url } = JSON.parse(answer) as Record<string, unknown>
    if (typeof directPath === 'string' && typeof url === 'string') return { directPath, url }
  } catch {
    // Said below.
  }
  throw new MediaHostFailure('the media host did not say where the medium is')
}

async function post(url: URL, bytes: number, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const { request, response } = open(url, 'POST', signal, {
    'content-type': 'application/octet-stream',
    'content-length': String(bytes),
  })
  // Of an answer that comes while the body goes: it is read below.
  response.catch(() => undefined)
  try {
    for await (const chunk of body) {
      if (request.destroyed || request.writableEnded) break
      if (!request.write(chunk)) await drained(request)
    }
    request.end()
  } catch (error) {
    // A host that refuses may close before it has read everything; a source that fails is the caller's.
    request.destroy()
    const answered = await response.then(
      ({ statusCode = 0 }) => statusCode,
      () => 0,
    )
    if (answered >= 400) throw new MediaHostFailure(`the media host answered ${answered}`, answered)
    throw error
  }
  const answer = await response
  const status = answer.statusCode ?? 0
  const chunks: Buffer[] = []
  let read = 0
  try {
    for await (const chunk of answer) {
      read += (chunk as Buffer).length
      if (read > answerBytesMax) break
      chunks.push(chunk as Buffer)
    }
  } catch {
    throw new MediaHostFailure('the media host broke off')
  }
  if (status !== 200) throw new MediaHostFailure(`the media host answered ${status}`, status)
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * The encrypted medium at a direct path. It comes from a stranger's message: whatever it says, it leads nowhere but to
 * WhatsApp's host.
 *
 * @throws MediaHostFailure
 */
export async function downloadFromWhatsApp(
  hosts: MediaHosts,
  directPath: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: number | undefined; readonly body: AsyncIterable<Uint8Array> }> {
  const { hosts: names } = await hosts.current()
  const [host] = names
  if (host === undefined) throw new MediaHostFailure('WhatsApp named no media host')
  const base = `${hosts.plain ? 'http' : 'https'}://${host}`
  const url = URL.canParse(directPath, base) ? new URL(directPath, base) : undefined
  if (url === undefined || !directPath.startsWith('/') || url.origin !== new URL(base).origin) {
    throw new MediaHostFailure('the message names no path on the media host', 404)
  }
  const { request, response } = open(url, 'GET', signal, {})
  request.end()
  const answer = await response
  const { statusCode: status = 0 } = answer
  if (status !== 200) {
    answer.destroy()
    throw new MediaHostFailure(`the media host answered ${status}`, status)
  }
  const length = answer.headers['content-length']
  return { bytes: length === undefined ? undefined : Number(length), body: bodyOf(answer) }
}

async function* bodyOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array
  } catch (error) {
    throw new MediaHostFailure(`the media host broke off: ${reasonOf(error)}`)
  } finally {
    answer.destroy()
  }
}

function open(
  url: URL,
  method: 'GET' | 'POST',
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
): { readonly request: ClientRequest; readonly response: Promise<IncomingMessage> } {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const request = send(url, { method, headers: { ...headers, origin }, signal, timeout: silenceMs })
  request.on('timeout', () => request.destroy(new MediaHostFailure('the media host fell silent')))
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', (error) => {
      reject(error instanceof MediaHostFailure ? error : new MediaHostFailure(`the media host: ${reasonOf(error)}`))
    })
  })
  return { request, response }
}

/** Until the request takes more, or never will. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error'] as const) request.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error'] as const) request.on(event, done)
  })
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.message : String(error)
}
