import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accepted, spoilt } from './arbitrary-json.ts'
import { type Rest, rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

/**
 * Knows of the API what `GET /openapi.json` says and nothing else, calls every operation with values made from it, right and
 * wrong ones, and holds every answer against it: no status and no media type that is not documented, no body that its schema
 * refuses, nothing from 500 on. Longer:
 *
 *   HOLDFAST_CONTRACT_RUNS=300 HOLDFAST_SEED=7 npm test -- tests/end-to-end/contract.test.ts
 */
const runs = Number(process.env.HOLDFAST_CONTRACT_RUNS ?? 8)
const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)

type Json = Record<string, unknown>
interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Json
}
interface Operation {
  readonly operationId: string
  readonly security: readonly unknown[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Json } } }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Json }>> }>
  >
}

let place: RunningPlace
let story: Story
let document: { paths: Record<string, Record<string, Operation>>; components: unknown }
let ajv: Ajv2020
/** Ids that exist, by the name of the parameter; calls of the test find them in answers and come back with them. */
const known = new Map<string, string[]>()

beforeAll(async () => {
  place = await startPlace()
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  // What is looked at is the contract, not the limit of calls.
  const limits = { requestsPerSecond: 10_000, sendsPerSecond: 10_000 }
  const path = `/admin/business-profiles/${story.businessProfileId}`
  const json = { 'content-type': 'application/json' }
  await story.admin.raw('PATCH', path, JSON.stringify({ limits }), json)
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
  await story.messageReachesThePhone('before the calls', 'contract-1')
  document = (await rest(place.httpUrl).get('/openapi.json')).body
  ajv = new Ajv2020({ strict: false, allErrors: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'https://holdfast.test/schema', components: document.components })
})
afterAll(async () => {
  story?.close()
  await place?.stop()
})

const validators = new Map<string, ValidateFunction>()
function validator(schema: Json): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"#/', '"https://holdfast.test/schema#/')
  const compiled = validators.get(text) ?? ajv.compile(JSON.parse(text) as Json)
  validators.set(text, compiled)
  return compiled
}

const resolve = (reference: string): unknown =>
  reference
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document)

/** Keeps what answers name, so that later calls reach what earlier ones made. */
function learn(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner === 'string' && /Id$/.test(name) && inner !== '') {
      const ids = known.get(name) ?? []
      if (!ids.includes(inner)) known.set(name, [...ids.slice(-19), inner])
    } else learn(inner)
  }
}

interface Made {
  readonly parameters: readonly (readonly [Parameter, unknown])[]
  readonly body: unknown
}

function calls({ parameters, requestBody }: Operation): fc.Arbitrary<Made> {
  const values = parameters.map((parameter) => {
    const made = accepted(parameter.schema, resolve)
    if (parameter.in === 'path') {
      const ids = known.get(parameter.name) ?? []
      const any = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
      return ids.length === 0
        ? fc.oneof(made, any)
        : fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...ids) }, made, any)
    }
    const value = fc.oneof({ weight: 3, arbitrary: made }, fc.string({ maxLength: 20 }))
    return parameter.required ? value : fc.option(value, { nil: undefined, freq: 2 })
  })
  const schema = requestBody?.content['application/json'].schema
  const right = schema === undefined ? fc.constant(undefined) : accepted(schema, resolve)
  const body = schema === undefined ? right : fc.oneof({ weight: 3, arbitrary: right }, spoilt(right))
  return fc.record({ parameters: fc.tuple(...values), body }).map((made) => ({
    parameters: parameters.map((parameter, index) => [parameter, made.parameters[index]] as const),
    body: made.body,
  }))
}

/** A header's value is Latin-1 without controls; what is not could not be sent. */
const sendable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '').trim()

async function call(caller: Rest, method: string, template: string, made: Made) {
  let path = template
  const query = new URLSearchParams()
  const headers: Record<string, string> = {}
  for (const [parameter, value] of made.parameters) {
    if (value === undefined) continue
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(text))
    else if (parameter.in === 'query') query.set(parameter.name, text)
    else headers[parameter.name] = sendable(text)
  }
  const body = made.body === undefined ? undefined : JSON.stringify(made.body)
  if (body !== undefined) headers['content-type'] = 'application/json'
  const asked = query.size === 0 ? path : `${path}?${query}`
  return { asked: `${method} ${asked} ${body ?? ''}`, answer: await caller.raw(method, asked, body, headers) }
}

function problemsWith(operation: Operation, { status, headers, body }: Awaited<ReturnType<Rest['get']>>): string[] {
  if (status >= 500) return [`status ${status}: ${JSON.stringify(body)}`]
  const documented = operation.responses[String(status)]
  if (documented === undefined) return [`status ${status} is not documented: ${JSON.stringify(body)}`]
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  if (documented.content === undefined) return body === '' ? [] : [`status ${status} has a body`]
  const media = documented.content[type]
  if (media === undefined) return [`${status} as ${type} is not documented`]
  if (media.schema === undefined) return []
  const validate = validator(media.schema)
  return validate(body) ? [] : [`${status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`]
}

/** Those that end what others need come last. */
const late = /^(delete|logout|pair|revoke|rotate|drop)/

it('every operation answers as the document says, whatever it is called with', async () => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  operations.sort((a, b) => Number(late.test(a.operation.operationId)) - Number(late.test(b.operation.operationId)))
  expect(operations.length).toBeGreaterThan(35)
  // Kept out of the calls' reach: the key and the profile that they are made with.
  const { body: sacrificed } = await story.admin.post('/admin/business-profiles', { name: 'Sacrificed' })
  learn({ connectionId: story.connectionId })
  learn(sacrificed)
  const statuses = new Map<string, Set<number>>()
  for (const { path, method, operation } of operations) {
    const isAdmin = path.startsWith('/admin')
    const caller = operation.security.length === 0 ? rest(place.httpUrl) : isAdmin ? story.admin : story.tenant
    const seen = new Set<number>()
    statuses.set(operation.operationId, seen)
    for (const made of fc.sample(calls(operation), { numRuns: runs, seed })) {
      const { asked, answer } = await call(caller, method, path, made)
      expect([operation.operationId, asked, problemsWith(operation, answer)]).toEqual([
        operation.operationId,
        asked,
        [],
      ])
      seen.add(answer.status)
      if (answer.status < 300 && !/ApiKey/.test(operation.operationId)) learn(withoutOwn(answer.body))
    }
  }
  const succeeded = [...statuses].filter(([, seen]) => [...seen].some((status) => status < 300)).map(([id]) => id)
  expect(succeeded.length).toBeGreaterThan(operations.length * 0.6)
})

/** Everything but the profile and the keys that the calls are made with. */
function withoutOwn(body: unknown): unknown {
  const text = JSON.stringify(body ?? null).replaceAll(story.businessProfileId, '')
  return JSON.parse(text)
}
