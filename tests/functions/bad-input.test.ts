import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { problemSchema } from '../../shared/api/problems.ts'
import { bodyBytesMax } from '../../shared/api/routes.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { type RestClient, type RestRequest, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient
let key: string
let connectionId: string

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
  ;({ key } = await createTenant(call))
  connectionId = (await call('POST', '/connections', { key, body: { label: 'x' } })).json.connectionId
})
afterAll(() => cloud?.stop())

interface Row {
  readonly what: string
  readonly path: '/connections' | '/messages'
  readonly request: RestRequest
  readonly status?: number
  readonly code?: string
  /** Fields that the problem names, with what is said of them. */
  readonly errors?: readonly { field: string; message?: unknown; expected?: unknown }[]
}

const send = { to: '+94714515253', type: 'text', text: { body: 'hello' } }

const table: readonly Row[] = [
  { what: 'JSON that is none', path: '/connections', request: { body: '{"label":' }, code: 'malformed_json' },
  { what: 'no body', path: '/connections', request: {}, errors: [{ field: 'body', expected: 'a JSON object' }] },
  {
    what: 'a list as body',
    path: '/connections',
    request: { body: [] },
    errors: [{ field: 'body', expected: 'object' }],
  },
  { what: 'null as body', path: '/connections', request: { body: null }, errors: [{ field: 'body' }] },
  {
    what: 'a field missing',
    path: '/connections',
    request: { body: {} },
    errors: [{ field: 'label', message: 'is required', expected: 'string' }],
  },
  {
    what: 'a wrong type',
    path: '/connections',
    request: { body: { label: 7 } },
    errors: [{ field: 'label', expected: 'string' }],
  },
  {
    what: 'an unknown field',
    path: '/connections',
    request: { body: { label: 'x', colour: 'red' } },
    errors: [{ field: 'colour', message: 'unknown field' }],
  },
  {
    what: 'several wrong fields at once',
    path: '/connections',
    request: { body: { label: '', pairing: 'nfc', x: 1 } },
    errors: [{ field: 'label' }, { field: 'pairing', expected: 'one of qr, code' }, { field: 'x' }],
  },
  {
    what: 'a bad phone number',
    path: '/connections',
    request: { body: { label: 'x', phoneNumber: 'call me' } },
    errors: [{ field: 'phoneNumber', expected: expect.stringContaining('+94714515253') }],
  },
  {
    what: 'pairing by code without a phone number',
    path: '/connections',
    request: { body: { label: 'x', pairing: 'code' } },
    errors: [{ field: 'phoneNumber', message: 'is required when pairing is by code' }],
  },
  {
    what: 'another content type',
    path: '/connections',
    request: { body: 'label=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a body over the limit',
    path: '/connections',
    request: { body: JSON.stringify({ label: 'x'.repeat(bodyBytesMax) }) },
    status: 413,
    code: 'payload_too_large',
  },
  {
    what: 'an inner field missing',
    path: '/messages',
    request: { body: { ...send, text: {} } },
    errors: [{ field: 'text.body', message: 'is required' }],
  },
  {
    what: 'an inner unknown field',
    path: '/messages',
    request: { body: { ...send, text: { body: 'x', preview: true } } },
    errors: [{ field: 'text.preview', message: 'unknown field' }],
  },
  {
    what: 'a blank text',
    path: '/messages',
    request: { body: { ...send, text: { body: ' \n' } } },
    errors: [{ field: 'text.body', message: 'must not be blank' }],
  },
  {
    what: 'a type that is not known',
    path: '/messages',
    request: { body: { ...send, type: 'fax' } },
    errors: [{ field: 'type', message: expect.stringMatching(/^must be one of: text, /) }],
  },
  {
    what: 'a recipient that is none',
    path: '/messages',
    request: { body: { ...send, to: '12' } },
    errors: [{ field: 'to', expected: expect.stringContaining('JID') }],
  },
  {
    what: 'a recipient of another type',
    path: '/messages',
    request: { body: { ...send, to: 94714515253 } },
    errors: [{ field: 'to', expected: 'string' }],
  },
  {
    what: 'an expiry below the least',
    path: '/messages',
    request: { body: { ...send, expiresInSeconds: 1 } },
    errors: [{ field: 'expiresInSeconds', expected: 'at least 10' }],
  },
  {
    what: 'an idempotency key with spaces',
    path: '/messages',
    request: { body: send, headers: { 'idempotency-key': 'a b' } },
    errors: [{ field: 'idempotency-key' }],
  },
]

describe('a POST is refused with a problem that names what is wrong', () => {
  test.each(table)('$what ($path)', async ({ path, request, status = 400, code = 'invalid_request', errors }) => {
    const at = path === '/messages' ? `/connections/${connectionId}/messages` : path
    const answer = await call('POST', at, { ...request, key })
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    const problem = problemSchema.parse(answer.json)
    expect(problem).toMatchObject({ code, status, type: `urn:holdfast:problem:${code}` })
    if (errors) expect(problem.errors).toEqual(errors.map((error) => expect.objectContaining(error)))
  })
})

test.each([
  [{ limit: '0' }, 'limit'],
  [{ limit: 'many' }, 'limit'],
  [{ limit: '101' }, 'limit'],
  [{ next: 'made-up' }, 'next'],
  [{ page: '2' }, 'page'],
])('a list refuses the query %j, naming %s', async (query, field) => {
  const answer = await call('GET', '/connections', { key, query })
  expect([answer.status, answer.json.errors?.[0]?.field]).toEqual([400, field])
})

test('what a caller wrote is not repeated in the answer', async () => {
  const answer = await call('POST', '/connections', { key, body: { label: 'x', phoneNumber: 'my secret' } })
  expect(answer.text).not.toContain('my secret')
})
