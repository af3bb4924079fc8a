import { createHmac, randomBytes } from 'node:crypto'
import type { WebhookSecrets } from '../../shared/aws/webhook-secrets.ts'

/** Standard Webhooks: `whsec_` and 24 to 64 random bytes in base64. */
export const newSigningSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/**
 * The headers of one request (https://www.standardwebhooks.com): a signature by each secret that holds at that moment, so that
 * a receiver may know either.
 *
 * @param timestamp seconds since 1970
 */
export function signedHeaders(
  { signing }: Pick<WebhookSecrets, 'signing'>,
  id: string,
  timestamp: number,
  body: string,
): Readonly<Record<string, string>> {
  const holding = signing.filter(({ until }) => until === undefined || Date.parse(until) > timestamp * 1000)
  const signatures = holding.map(({ secret }) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signatures.join(' ') }
}
