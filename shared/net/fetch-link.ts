import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { checkTarget, guardedLookup, TargetRefused, type TargetScope } from './targets.ts'

export interface LinkLimits {
  readonly bytesMax: number
  readonly redirectsMax: number
  /** Until a connection stands and the answer's head is there, for each hop. */
  readonly headMs: number
  /** Of silence while the body comes. */
  readonly silenceMs: number
  /** For everything. */
  readonly totalMs: number
}

export const linkLimits: Omit<LinkLimits, 'bytesMax'> = {
  redirectsMax: 3,
  headMs: 10_000,
  silenceMs: 20_000,
  totalMs: 300_000,
}

/** `retryable`: another try may end better. `message` is for the caller: it names the host, no addresses. */
export class LinkFailure extends Error {
  readonly retryable: boolean

  constructor(message: string, retryable = false) {
    super(message)
    this.name = 'LinkFailure'
    this.retryable = retryable
  }
}

export interface FetchedLink {
  /** As the server declares it. */
  readonly contentType: string
  /** Last segment of the address after redirects, where it looks like a file's name. */
  readonly filename?: string
  /** Throws `LinkFailure` where it breaks off or becomes too large. */
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * Opens an address that a caller named. Every hop is checked by itself, at the moment in which it is connected to.
 *
 * @throws LinkFailure
 */
export async function fetchLink(
  link: string,
  scope: TargetScope,
  limits: LinkLimits,
  signal?: AbortSignal,
): Promise<FetchedLink> {
  const total = AbortSignal.timeout(limits.totalMs)
  const end = signal === undefined ? total : AbortSignal.any([signal, total])
  let url = parse(link, scope)
  for (let redirects = 0; ; redirects += 1) {
    const response = await head(url, scope, limits, end)
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (status >= 300 && status < 400 && location !== undefined) {
      response.destroy()
      if (redirects >= limits.redirectsMax)
        throw new LinkFailure(`${url.host} redirects more than ${limits.redirectsMax} times`)
      url = parse(location, scope, url)
      continue
    }
    if (status !== 200) {
      response.destroy()
      throw new LinkFailure(`${url.host} answered ${status}`, status >= 500 || status === 429 || status === 408)
    }
    const declared = Number(response.headers['content-length'] ?? 0)
    if (declared > limits.bytesMax) {
      response.destroy()
      throw new LinkFailure(tooLarge(url, limits))
    }
    const filename = filenameOf(url)
    return {
      contentType: response.headers['content-type'] ?? 'application/octet-stream',
      ...(filename === undefined ? {} : { filename }),
      body: bounded(response, url, limits),
    }
  }
}

function parse(link: string, scope: TargetScope, base?: URL): URL {
  const url = URL.parse(link, base?.href)
  if (url === null) throw new LinkFailure('must be an https:// address')
  try {
    checkTarget(url, scope)
  } catch (error) {
    throw failureOf(error, url)
  }
  return url
}

/** The answer's head. */
function head(url: URL, scope: TargetScope, limits: LinkLimits, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const request: ClientRequest = send(url, {
      // No shared agent: a connection that stands open was looked up before.
      agent: false,
      lookup: guardedLookup(scope),
      signal,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'Holdfast' },
    })
    const timer = setTimeout(
      () => request.destroy(new LinkFailure(`${url.host} did not answer in time`, true)),
      limits.headMs,
    )
    request.once('response', (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    // Also for what breaks after the head came: then the body says it.
    request.on('error', (error) => {
      clearTimeout(timer)
      reject(failureOf(error, url))
    })
    request.end()
  })
}

async function* bounded(response: IncomingMessage, url: URL, limits: LinkLimits): AsyncGenerator<Uint8Array> {
  let bytes = 0
  response.setTimeout(limits.silenceMs, () => response.destroy(new LinkFailure(`${url.host} fell silent`, true)))
  try {
    for await (const chunk of response) {
      bytes += (chunk as Uint8Array).length
      if (bytes > limits.bytesMax) throw new LinkFailure(tooLarge(url, limits))
      yield chunk as Uint8Array
    }
  } catch (error) {
    throw failureOf(error, url)
  } finally {
    response.destroy()
  }
}

const tooLarge = (url: URL, { bytesMax }: LinkLimits): string => `${url.host} gives more than ${bytesMax} bytes`

function failureOf(error: unknown, url: URL): LinkFailure {
  if (error instanceof LinkFailure) return error
  if (error instanceof TargetRefused) return new LinkFailure(`${url.host} ${error.message}`)
  const name = error instanceof Error ? error.name : ''
  if (name === 'AbortError' || name === 'TimeoutError') return new LinkFailure(`${url.host} took too long`, true)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOTFOUND') return new LinkFailure(`${url.host} is not known to the name service`)
  return new LinkFailure(`${url.host} could not be reached${code === '' ? '' : ` (${code})`}`, true)
}

function filenameOf(url: URL): string | undefined {
  const last = url.pathname.split('/').at(-1) ?? ''
  try {
    const name = decodeURIComponent(last)
    return /^[^\p{C}/\\]{1,200}\.[A-Za-z0-9]{1,8}$/u.test(name) ? name : undefined
  } catch {
    return undefined
  }
}
