import type { OutwardEvent } from '../api/events.ts'

/** The request did not come from Holdfast, was changed on the way, or is too old. */
export class WebhookRefused extends Error {
  override readonly name = 'WebhookRefused'
}

/** `Headers`, or what Node gives a request. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

export interface VerifyOptions {
  /** How far its timestamp may be from now: against requests that somebody kept. Default 300. */
  readonly toleranceSeconds?: number
  /** Milliseconds since 1970. Default: the clock's. */
  readonly now?: number
}

const prefix = 'whsec_'

/**
 * Checks a request as Standard Webhooks asks (https://www.standardwebhooks.com), with Web Crypto alone: browsers, Node, edge.
 *
 * @param body as it came, to the byte: parsed and written again it is another
 * @param secret `whsec_…`; during a rotation either of the two
 * @returns the event in it
 * @throws WebhookRefused; a `TypeError` where the secret is none
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string,
  { toleranceSeconds = 300, now = Date.now() }: VerifyOptions = {},
): Promise<OutwardEvent> {
  const key = await keyOf(secret)
  const id = header(headers, 'webhook-id')
  const timestamp = header(headers, 'webhook-timestamp')
  const signatures = header(headers, 'webhook-signature')
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookRefused('webhook-timestamp: expected seconds since 1970')
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) {
    throw new WebhookRefused('webhook-timestamp: too far from now')
  }
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const head = new TextEncoder().encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(head.length + bytes.length)
  signed.set(head)
  signed.set(bytes, head.length)
  for (const signature of signatures.split(' ')) {
    const [version, encoded] = signature.split(',')
    const claimed = version === 'v1' && encoded !== undefined ? fromBase64(encoded) : undefined
    // Compared by the platform, which takes the same time wherever they differ.
    if (claimed !== undefined && (await crypto.subtle.verify('HMAC', key, claimed, signed))) {
      return JSON.parse(new TextDecoder().decode(bytes)) as OutwardEvent
    }
  }
  throw new WebhookRefused('webhook-signature: none of them is by this secret')
}

function keyOf(secret: string) {
  const raw = fromBase64(secret.startsWith(prefix) ? secret.slice(prefix.length) : secret)
  if (raw === undefined || raw.length === 0) throw new TypeError('secret: expected whsec_ and base64')
  return crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
}

function header(headers: WebhookHeaders, name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1]
  if (typeof value !== 'string' || value === '') throw new WebhookRefused(`${name}: the header is missing`)
  return value
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
