import fc from 'fast-check'
import type { Described, Json } from './described.ts'

/** What fields of a name are given most of the time, so that calls come further than to a 404. */
export type Pools = Readonly<Record<string, readonly unknown[]>>

const depthMax = 6

/** Values that a schema means. Not each is taken: what a schema cannot say (a real time zone) is left to the service to refuse. */
export class Values {
  readonly #described: Described
  readonly #pools: Pools

  constructor(described: Described, pools: Pools) {
    this.#described = described
    this.#pools = pools
  }

  of(schema: Json, name = '', depth = 0): fc.Arbitrary<unknown> {
    const resolved = this.#described.resolve(schema)
    const free = this.#free(resolved, name, depth)
    const pool = this.#pools[name]
    const fits = pool?.filter((value) => this.#described.errorsOf(schema, value) === undefined) ?? []
    return fits.length === 0
      ? free
      : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...fits) }, { weight: 1, arbitrary: free })
  }

  #free(schema: Json, name: string, depth: number): fc.Arbitrary<unknown> {
    if (schema.const !== undefined) return fc.constant(schema.const)
    if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
    for (const choices of [schema.oneOf, schema.anyOf]) {
      if (!Array.isArray(choices)) continue
      return fc.oneof(...choices.map((choice) => this.of({ ...choice }, name, depth + 1)))
    }
    if (Array.isArray(schema.allOf)) {
      const parts = schema.allOf.map((part: Json) => this.of(part, name, depth + 1))
      return fc.tuple(...parts).map((values) => Object.assign({}, ...values))
    }
    switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
      case 'object':
        return this.#object(schema, depth)
      case 'array': {
        const maxLength = Math.min(schema.maxItems ?? 3, 3)
        const minLength = Math.min(schema.minItems ?? 0, depth > depthMax ? 0 : Number.MAX_SAFE_INTEGER)
        return fc.array(this.of(schema.items ?? {}, singular(name), depth + 1), {
          minLength,
          maxLength: Math.max(minLength, maxLength),
        })
      }
      case 'integer':
        return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 })
      case 'number':
        return fc.double({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000, noNaN: true })
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'string':
        return this.#text(schema)
      default:
        // Anything may stand there.
        return fc.jsonValue({ maxDepth: 1 })
    }
  }

  #object(schema: Json, depth: number): fc.Arbitrary<unknown> {
    const required = new Set<string>(schema.required ?? [])
    const fields = Object.entries<Json>(schema.properties ?? {}).filter(
      ([name]) => depth < depthMax || required.has(name),
    )
    const record = fc.record(
      Object.fromEntries(fields.map(([name, field]) => [name, this.of(field, name, depth + 1)])),
      {
        requiredKeys: [...required].filter((name) => fields.some(([field]) => field === name)),
      },
    )
    const values = schema.additionalProperties
    if (typeof values !== 'object' || Object.keys(schema.properties ?? {}).length > 0) return record
    const names = this.of(schema.propertyNames ?? { type: 'string', pattern: '^[a-z]{1,10}$' })
    return fc.dictionary(names as fc.Arbitrary<string>, this.of(values, '', depth + 1), { maxKeys: 3 })
  }

  #text(schema: Json): fc.Arbitrary<unknown> {
    const minLength = schema.minLength ?? 0
    const maxLength = Math.min(schema.maxLength ?? 40, Math.max(minLength, 40))
    const example =
      schema.example === undefined ? [] : [{ weight: 3, arbitrary: fc.constant(schema.example as unknown) }]
    const free = (): fc.Arbitrary<unknown> => {
      if (schema.format === 'date-time') return time()
      if (schema.format === 'date') return time().map((text) => text.slice(0, 10))
      if (schema.format === 'uri') return fc.webUrl({ validSchemes: ['https'] })
      if (schema.contentEncoding === 'base64') return fc.base64String({ minLength: 4, maxLength: 40 })
      if (typeof schema.pattern === 'string') return matching(schema)
      return fc.string({ minLength, maxLength, unit: 'grapheme' })
    }
    return fc.oneof(...example, { weight: 2, arbitrary: free() })
  }
}

const time = () =>
  fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 0, 1) }).map((ms) => new Date(ms).toISOString())

/** What a pattern describes, where the generator can read it. */
function matching({ pattern, example }: Json): fc.Arbitrary<unknown> {
  try {
    return fc.stringMatching(new RegExp(pattern, 'u'))
  } catch {
    return fc.constant(example ?? 'text')
  }
}

const singular = (name: string): string => name.replace(/s$/, '')

/** A value that is almost what was meant: one thing in it is missing, added, of another type or out of bounds. */
export function spoiled(value: unknown): fc.Arbitrary<unknown> {
  const strange = fc.constantFrom<unknown>(
    null,
    -1,
    1.5,
    true,
    '',
    'x'.repeat(70_000),
    '\u0000',
    [],
    {},
    [{}],
    'NaN',
    1e99,
  )
  if (typeof value !== 'object' || value === null) return strange
  const copy = () => structuredClone(value) as Record<string, unknown> | unknown[]
  if (Array.isArray(value)) {
    const inside = value.map((item, at) => spoiled(item).map((other) => Object.assign(copy(), { [at]: other })))
    return fc.oneof(strange, fc.constant(Array.from({ length: 1_001 }, () => value[0] ?? null)), ...inside)
  }
  const names = Object.keys(value)
  const added = fc.constant({ ...value, unheardOf: 1 })
  if (names.length === 0) return fc.oneof(strange, added)
  const removed = fc.constantFrom(...names).map((name) => {
    const rest = { ...value } as Record<string, unknown>
    delete rest[name]
    return rest
  })
  const inside = names.map((name) =>
    spoiled((value as Record<string, unknown>)[name]).map((other) => ({ ...value, [name]: other })),
  )
  return fc.oneof(strange, added, removed, ...inside)
}
