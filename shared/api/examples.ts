/** Examples for the API's description: made of the schemas' own `example`s, so that none goes stale. */

type Json = Readonly<Record<string, unknown>>

/** Texts that have a form of their own, by the name of their field. */
const byName: Readonly<Record<string, string>> = {
  businessProfileId: 'bp_0m4x2k8s5q7w1e3r9t6y',
  connectionId: 'con_0m4x2k8s5q7w1e3r9t6y',
  messageId: 'msg_0m4x2k8s5q7w1e3r9t6y1u3i5o',
  keyId: '0m4x2k8s5q7w1e3r',
  apiKey: 'hf_0m4x2k8s5q7w1e3r_N7hJ0cX2vB4nM6kL8pQ1wE3rT5yU7iO9aS1dF3gH5j',
  erasureId: 'era_0mguk3l5k8s5q7w1e3r9t6y1u3i5o',
  chat: '94714515253@s.whatsapp.net',
  to: '+94714515253',
  body: 'Your order is on its way.',
  label: 'Primary Device',
  name: 'Tea House',
}

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A value that the schema accepts: what it gives as example, else its default, constant or first choice, else the smallest
 * value of its kind; of an object what is required.
 *
 * @param schema JSON Schema, its references resolved by `resolve`
 */
export function exampleOf(schema: unknown, resolve: (reference: string) => unknown, name = ''): unknown {
  if (!isJson(schema)) return {}
  if (schema.example !== undefined) return schema.example
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0]
  if (typeof schema.$ref === 'string') return exampleOf(resolve(schema.$ref), resolve, name)
  if (schema.const !== undefined) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if (schema.default !== undefined) return schema.default
  for (const choices of [schema.oneOf, schema.anyOf]) {
    if (Array.isArray(choices)) return exampleOf(choices[0], resolve, name)
  }
  if (Array.isArray(schema.allOf)) {
    return Object.assign({}, ...schema.allOf.map((part: unknown) => exampleOf(part, resolve, name)))
  }
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object':
      return objectExample(schema, resolve)
    case 'array':
      return [exampleOf(schema.items, resolve, name)]
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? Math.max(schema.minimum, 1) : 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return textExample(schema, name)
  }
}

function objectExample(schema: Json, resolve: (reference: string) => unknown): Json {
  const properties = isJson(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required.map(String) : []
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name], resolve, name)]))
}

function textExample(schema: Json, name: string): string {
  if (schema.format === 'date-time') return '2026-01-31T12:00:00.000Z'
  if (schema.format === 'uri') return 'https://example.com/'
  const known = byName[name]
  if (known !== undefined) return known
  const min = typeof schema.minLength === 'number' ? schema.minLength : 0
  return 'text'.padEnd(min, '.')
}
