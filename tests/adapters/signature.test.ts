import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PostSigner } from '../../shared/aws/signature.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 300 })
const token = fc.option(fc.stringMatching(/^[\w+/=]{1,200}$/), { nil: undefined })
const key = fc.stringMatching(/^[\w+/]{16,40}$/)
const day = 86_400_000

test('any request is signed as the SDK signs it', async () => {
  await fc.assert(
    fc.asyncProperty(text, fc.stringMatching(/^\w{1,40}$/), key, key, token, fc.nat(40_000 * day), async (...given) => {
      const [body, operation, accessKeyId, secretAccessKey, sessionToken, nowMs] = given
      const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
      const client = new DynamoDBClient({ region: 'eu-central-1', credentials, endpoint: 'http://127.0.0.1:4566' })
      const target = `DynamoDB_20120810.${operation}`
      const host = '127.0.0.1:4566'
      const request = {
        protocol: 'http:',
        hostname: '127.0.0.1',
        port: 4566,
        path: '/',
        query: {},
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target, host },
        body,
      }
      const expected = await (await client.config.signer()).sign(request, { signingDate: new Date(nowMs) })
      const signer = new PostSigner({ region: 'eu-central-1', service: 'dynamodb', host })
      expect(signer.sign(target, body, credentials, nowMs)).toEqual(expected.headers)
      client.destroy()
    }),
    { seed: 4, numRuns: 100 },
  )
})

test('a new day and new credentials have a key of their own', () => {
  const signer = new PostSigner({ region: 'us-east-1', service: 'dynamodb', host: 'example.com' })
  const sign = (secretAccessKey: string, nowMs: number, of = signer) =>
    of.sign('DynamoDB_20120810.GetItem', '{}', { accessKeyId: 'AKIA', secretAccessKey }, nowMs)['authorization']
  const asked = [
    ['one', 0],
    ['one', day],
    ['two', day],
    ['one', 0],
  ] as const
  const fresh = () => new PostSigner({ region: 'us-east-1', service: 'dynamodb', host: 'example.com' })
  expect(asked.map(([secret, at]) => sign(secret, at))).toEqual(asked.map(([secret, at]) => sign(secret, at, fresh())))
})
