import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { openApiDocument } from '../../shared/api/openapi.ts'
import { problemCodes } from '../../shared/api/problems.ts'

type Json = Record<string, unknown>

const document = JSON.parse(JSON.stringify(openApiDocument())) as Json

test('an independent validator finds nothing wrong with the document', async () => {
  const validator = new Validator()
  const result = await validator.validate(structuredClone(document))
  expect(result).toMatchObject({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('and would find it', async () => {
  const torn = structuredClone(document) as { paths: Record<string, Record<string, Json>> }
  for (const path of Object.values(torn.paths)) for (const operation of Object.values(path)) delete operation.responses
  torn.paths.nowhere = {}
  expect(await new Validator().validate(torn as never)).toMatchObject({ valid: false })
})

const operations = Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
)

interface MediaType {
  readonly schema?: Json
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

function mediaTypes(value: unknown, at: string, found: { at: string; media: MediaType }[] = []) {
  if (typeof value !== 'object' || value === null) return found
  if ('content' in value) {
    for (const [type, media] of Object.entries(value.content as Record<string, MediaType>)) {
      if (type.endsWith('json')) found.push({ at: `${at} ${type}`, media })
    }
  }
  for (const [key, inner] of Object.entries(value)) if (key !== 'content') mediaTypes(inner, `${at}/${key}`, found)
  return found
}

test('every example is what its schema says, and everything in JSON has one', () => {
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'https://holdfast.test/schema', components: document.components })
  let checked = 0
  for (const { name, operation } of operations) {
    for (const { at, media } of mediaTypes(operation, name)) {
      const schema = JSON.parse(
        JSON.stringify(media.schema).replaceAll('"#/', '"https://holdfast.test/schema#/'),
      ) as Json
      const validate = ajv.compile(schema)
      const values = media.examples ? Object.values(media.examples).map(({ value }) => value) : [media.example]
      for (const value of values) {
        checked += 1
        expect([at, value, validate(value) ? null : validate.errors]).toEqual([at, value, null])
      }
    }
  }
  expect(checked).toBeGreaterThan(operations.length * 3)
})

test('every problem stands under some operation with an example', () => {
  const text = JSON.stringify(document.paths)
  const elsewhere = ['not_found', 'method_not_allowed', 'invalid_ticket']
  const missing = problemCodes.filter((code) => !elsewhere.includes(code) && !text.includes(`"${code}":{"value"`))
  expect(missing).toEqual([])
})
