import fc from 'fast-check'

type Json = Readonly<Record<string, unknown>>

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const depthMax = 6

/** Values that a JSON Schema of the API's description mostly accepts; what only a program can check (a phone number), some do not. */
export function accepted(schema: unknown, resolve: (reference: string) => unknown, depth = 0): fc.Arbitrary<unknown> {
  if (!isJson(schema) || depth > depthMax) return fc.jsonValue({ maxDepth: 1 })
  if (typeof schema.$ref === 'string') return accepted(resolve(schema.$ref), resolve, depth + 1)
  const given = [schema.example, ...(Array.isArray(schema.examples) ? schema.examples : [])].filter(
    (value) => value !== undefined,
  )
  const made = byKind(schema, resolve, depth)
  return given.length === 0 ? made : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...given) }, made)
}

function byKind(schema: Json, resolve: (reference: string) => unknown, depth: number): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  const choices = schema.oneOf ?? schema.anyOf
  if (Array.isArray(choices)) return fc.oneof(...choices.map((each) => accepted(each, resolve, depth + 1)))
  const min = typeof schema.minimum === 'number' ? schema.minimum : 0
  const max = typeof schema.maximum === 'number' ? schema.maximum : min + 1_000
  switch (schema.type) {
    case 'object':
      return objectOf(schema, resolve, depth)
    case 'array':
      return fc.array(accepted(schema.items, resolve, depth + 1), {
        minLength: Number(schema.minItems ?? 0),
        maxLength: 3,
      })
    case 'integer':
      return fc.integer({ min, max })
    case 'number':
      return fc.double({ min, max, noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return textOf(schema)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function objectOf(schema: Json, resolve: (reference: string) => unknown, depth: number): fc.Arbitrary<unknown> {
  const properties = isJson(schema.properties) ? schema.properties : {}
  const required = (Array.isArray(schema.required) ? schema.required : []).map(String)
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, member]) => [name, accepted(member, resolve, depth + 1)]),
  )
  return fc.record(members, { requiredKeys: required.filter((name) => name in members) })
}

function textOf(schema: Json): fc.Arbitrary<string> {
  if (schema.format === 'date-time') {
    const dates = fc.date({ min: new Date('2027-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
    return dates.map((date) => date.toISOString())
  }
  if (schema.format === 'uri') return fc.webUrl()
  const minLength = Number(schema.minLength ?? 0)
  const maxLength = Math.min(Number(schema.maxLength ?? minLength + 40), minLength + 40)
  return fc.string({ minLength, maxLength, unit: 'grapheme' })
}

/** The same with something wrong in it: a member gone, added, or of another kind; or another value altogether. */
export function spoilt(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.tuple(arbitrary, fc.nat(), fc.jsonValue({ maxDepth: 1 })).map(([value, at, other]) => {
      if (!isJson(value)) return other
      const names = Object.keys(value)
      const name = names[at % Math.max(1, names.length)] ?? 'more'
      const { [name]: _gone, ...rest } = value
      return at % 3 === 0 ? rest : at % 3 === 1 ? { ...value, [name]: other } : { ...value, unknownField: other }
    }),
  )
}
