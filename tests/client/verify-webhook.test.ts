import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { newSigningSecret, signedHeaders } from '../../functions/webhooks/sign.ts'
import { exampleOf } from '../../shared/api/events.ts'
import { verifyWebhook, WebhookRefused } from '../../shared/client/verify-webhook.ts'

const event = exampleOf('message-received')
const body = JSON.stringify({ ...event, data: { ...(event.data as object), note: 'ආයුබෝවන් 👋' } })
const now = Math.floor(Date.now() / 1000)

/** As the reference library signs. */
function byReference(secret: string, timestamp = now) {
  return {
    'webhook-id': event.id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': new Webhook(secret).sign(event.id, new Date(timestamp * 1000), body),
  }
}

describe('verifyWebhook', () => {
  const secret = newSigningSecret()

  test('knows what the Standard Webhooks reference library signed', async () => {
    expect(await verifyWebhook(body, byReference(secret), secret)).toEqual(JSON.parse(body))
    expect(await verifyWebhook(new TextEncoder().encode(body), new Headers(byReference(secret)), secret)).toEqual(
      JSON.parse(body),
    )
  })

  test('what we sign, the reference library knows', () => {
    const headers = signedHeaders({ signing: [{ secret }] }, event.id, now, body)
    expect(headers).toEqual(byReference(secret))
    expect(new Webhook(secret).verify(body, { ...headers })).toEqual(JSON.parse(body))
  })

  test('while a secret is rotated both know the request, afterwards only the new one', async () => {
    const old = newSigningSecret()
    const until = (seconds: number) => new Date((now + seconds) * 1000).toISOString()
    const during = signedHeaders({ signing: [{ secret }, { secret: old, until: until(60) }] }, event.id, now, body)
    for (const each of [secret, old]) {
      await verifyWebhook(body, during, each)
      new Webhook(each).verify(body, { ...during })
    }
    const after = signedHeaders({ signing: [{ secret }, { secret: old, until: until(-1) }] }, event.id, now, body)
    await verifyWebhook(body, after, secret)
    await expect(verifyWebhook(body, after, old)).rejects.toThrow(WebhookRefused)
  })

  test.each([
    ['another secret', body, byReference(newSigningSecret())],
    ['a changed body', body.replace('Thank', 'Tank'), byReference(secret)],
    ['another id', body, { ...byReference(secret), 'webhook-id': 'evt_other' }],
    ['another time', body, { ...byReference(secret), 'webhook-timestamp': String(now - 1) }],
    ['an old request', body, byReference(secret, now - 301)],
    ['a request of the future', body, byReference(secret, now + 301)],
    ['no signature', body, { ...byReference(secret), 'webhook-signature': undefined }],
    ['a signature of another version', body, { ...byReference(secret), 'webhook-signature': 'v2,AAAA' }],
    ['no time', body, { ...byReference(secret), 'webhook-timestamp': 'soon' }],
    ['a signature that is no base64', body, { ...byReference(secret), 'webhook-signature': 'v1,***' }],
  ])('refuses %s', async (_, text, headers) => {
    await expect(verifyWebhook(text, headers, secret, { now: now * 1000 })).rejects.toThrow(WebhookRefused)
  })

  test('a secret that is none is a mistake of the caller', async () => {
    await expect(async () => verifyWebhook(body, byReference(secret), '***')).rejects.toThrow(TypeError)
  })
})
