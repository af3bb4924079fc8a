import { expect, test } from 'vitest'
import { methodsAt } from '../../shared/api/match.ts'
import { openApiDocument, problemsOf } from '../../shared/api/openapi.ts'
import { problemCodes, problemKinds } from '../../shared/api/problems.ts'
import { httpRoutes, routeList, routes } from '../../shared/api/routes.ts'

type Json = Record<string, unknown>
const document = openApiDocument()

function walk(value: unknown, visit: (object: Json, at: string) => void, at = '#'): void {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) visit(value as Json, at)
  for (const [key, inner] of Object.entries(value)) walk(inner, visit, `${at}/${key}`)
}

const resolve = (reference: string): unknown =>
  reference
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document)

test('it is JSON, and OpenAPI 3.1', () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document)
  expect(document.openapi).toMatch(/^3\.1\.\d+$/)
  expect(document).toMatchObject({ info: { title: 'Holdfast', version: expect.any(String) } })
})

test('every reference resolves, and every component is referred to', () => {
  const found = new Set<string>()
  walk(document, (object) => {
    if (typeof object.$ref === 'string') found.add(object.$ref)
  })
  expect(found.size).toBeGreaterThan(10)
  for (const reference of found) expect([reference, resolve(reference)]).toEqual([reference, expect.any(Object)])
  const schemas = Object.keys((document.components as { schemas: Json }).schemas)
  expect(schemas.filter((name) => !found.has(`#/components/schemas/${name}`))).toEqual([])
})

test('no schema points into definitions that were left behind', () => {
  const text = JSON.stringify(document)
  expect(text).not.toContain('$defs')
  expect(text).not.toContain('"$schema"')
})

test('every route is described, with every part of its path as a parameter', () => {
  for (const route of routeList) {
    const operation = resolve(`#/paths`) as Record<string, Record<string, Json>>
    const described = operation[route.path]?.[route.method.toLowerCase()]
    expect(described).toMatchObject({ operationId: route.operationId })
    const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const parameters = described?.parameters as { name: string; in: string; required: boolean; schema: Json }[]
    expect(parameters.filter((each) => each.in === 'path').map((each) => each.name)).toEqual(inPath)
    for (const parameter of parameters) expect(parameter.schema.type).toBeDefined()
    expect(Object.keys(described?.responses as Json)).toContain(String(route.response.status))
  }
})

test('operation ids are their names in the table, and unique', () => {
  expect(Object.entries(routes).filter(([name, route]) => name !== route.operationId)).toEqual([])
})

test('what callers write may leave out what has a default; what they get never does', () => {
  const create = resolve('#/components/schemas/CreateConnection') as { required: string[] }
  expect(create.required).toEqual(['label'])
  expect(resolve('#/components/schemas/Connection')).toMatchObject({ required: expect.arrayContaining(['pairing']) })
})

test('a request body refuses unknown fields, a message tells its direction', () => {
  const kinds = (resolve('#/components/schemas/SendMessage') as { oneOf: Json[] }).oneOf
  expect(kinds.map(({ additionalProperties }) => additionalProperties)).toEqual(kinds.map(() => false))
  const message = resolve('#/components/schemas/Message') as { oneOf?: Json[]; anyOf?: Json[] }
  expect(message.oneOf ?? message.anyOf).toHaveLength(2)
})

test('each problem of a route is under its status', () => {
  const send = routes.sendMessage
  const operation = (document.paths as Record<string, Record<string, { responses: Json }>>)[send.path]?.post
  for (const code of problemsOf(send)) {
    const response = operation?.responses[problemKinds[code].status] as { description: string; content: Json }
    expect(response.description).toContain(`\`${code}\``)
    expect(Object.keys(response.content)).toEqual(['application/problem+json'])
  }
  expect(problemsOf(send)).toEqual(expect.arrayContaining(['too_many_waiting', 'missing_api_key', 'malformed_json']))
})

test('every problem has a sentence and an error status', () => {
  for (const code of problemCodes) {
    const { status, title } = problemKinds[code]
    expect([code, status >= 400 && status < 600, /^[A-Z].*\.$/.test(title)]).toEqual([code, true, true])
  }
})

test('no two routes are the same, and every route names its function', () => {
  const keys = httpRoutes.map(({ method, path }) => `${method} ${path}`)
  expect(new Set(keys).size).toBe(keys.length)
  for (const { path, auth } of httpRoutes) expect([path, auth === 'admin']).toEqual([path, path.startsWith('/admin')])
})

test.each([
  ['/connections', ['POST', 'GET']],
  ['/connections/con_1', ['GET', 'PATCH', 'DELETE']],
  ['/connections/con_1/messages/msg_1', ['GET', 'DELETE']],
  ['/connections/', []],
  ['/nothing', []],
  ['/', []],
])('methods at %s: %j', (path, methods) => {
  expect(methodsAt(path)).toEqual(methods)
})
