import fc from 'fast-check'
import type { Described, DescribedOperation, Json } from './described.ts'
import { type Pools, spoiled, Values } from './values.ts'

export interface ContractRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Undefined: as the document says. Else what is wrong with it by the document: it must not be answered with success. */
  readonly wrong?: string
}

/** Where success is wanted: ids and values that are known to be good for this one call. */
export interface Good {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const jsonType = { 'content-type': 'application/json' }

/** Requests for the operations of a document: good ones, some that are as their schemas say, and some that are not. */
export class Requests {
  readonly #described: Described
  readonly #pools: Pools

  constructor(described: Described, pools: Pools) {
    this.#described = described
    this.#pools = pools
  }

  /** The document's own example of a body, unless there is a better one. */
  good(operation: DescribedOperation, { path = {}, query = {}, headers = {}, body }: Good): ContractRequest {
    const inPath = operation.parameters.filter((parameter) => parameter.in === 'path')
    const missing = inPath.filter(({ name }) => path[name] === undefined).map(({ name }) => name)
    if (missing.length > 0) throw new Error(`${operation.id}: nothing good is known for ${missing}`)
    const content = operation.body === undefined ? undefined : (body ?? operation.body.example)
    return built(operation, path, query, { prefer: 'wait=5', ...headers }, content)
  }

  sample(operation: DescribedOperation, own: Pools, seed: number, count: number): readonly ContractRequest[] {
    return fc.sample(this.#any(operation, { ...this.#pools, ...own }), { seed, numRuns: count })
  }

  #any(operation: DescribedOperation, pools: Pools): fc.Arbitrary<ContractRequest> {
    const values = new Values(this.#described, pools)
    const group = (place: string) => {
      const parameters = operation.parameters.filter((parameter) => parameter.in === place)
      const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name)
      return fc
        .record(Object.fromEntries(parameters.map(({ name, schema }) => [name, values.of(schema, name)])), {
          requiredKeys: required,
        })
        .map((record) => Object.fromEntries(Object.entries(record).map(([name, value]) => [name, String(value)])))
    }
    const body = operation.body === undefined ? fc.constant(undefined) : values.of(operation.body.schema)
    const parts = fc.record({ path: group('path'), query: group('query'), headers: group('header'), body })
    const asSaid = parts.map((part) => this.#judged(operation, part))
    return fc.oneof(
      asSaid,
      parts.chain((part) => this.#wrong(operation, part)),
    )
  }

  /** A part may miss its schema by chance: then it is counted as wrong. */
  #judged(operation: DescribedOperation, { path, query, headers, body }: Parts): ContractRequest {
    const wrong =
      operation.body && body !== undefined ? this.#described.errorsOf(operation.body.schema, body) : undefined
    return { ...built(operation, path, query, headers, body), ...(wrong === undefined ? {} : { wrong }) }
  }

  #wrong(operation: DescribedOperation, part: Parts): fc.Arbitrary<ContractRequest> {
    const request = this.#judged(operation, part)
    const ways: fc.Arbitrary<ContractRequest>[] = []
    if (operation.needsKey) {
      ways.push(
        fc.constantFrom('', 'hf_nobody', `hf_0123456789abcdef_${'x'.repeat(43)}`).map((key) => ({
          ...request,
          headers: { ...request.headers, 'x-api-key': key },
          wrong: 'the key is not known',
        })),
      )
      ways.push(
        fc.constant({ ...request, path: withQuery(request.path, 'unheardOf', '1'), wrong: 'the query is not known' }),
      )
    }
    for (const { name, in: place, schema } of operation.parameters) {
      if (place === 'path') continue
      const strange = fc.constantFrom('', '-1', '1e9', 'NaN', '%00', "';--", '"', 'x'.repeat(3_000), '\u00e9\u00df')
      ways.push(
        strange.map((text) => {
          const value = place === 'header' ? latin1(text) : text
          const wrong = this.#described.errorsOf(schema, readAs(schema, value))
          const changed =
            place === 'query'
              ? { ...request, path: withQuery(request.path, name, value) }
              : { ...request, headers: { ...request.headers, [name.toLowerCase()]: value } }
          return { ...changed, ...(wrong === undefined ? {} : { wrong: `${name}: ${wrong}` }) }
        }),
      )
    }
    if (operation.body !== undefined) {
      const { schema } = operation.body
      ways.push(
        spoiled(part.body).map((body) => {
          const wrong = this.#described.errorsOf(schema, body)
          return {
            ...request,
            body: JSON.stringify(body),
            headers: { ...request.headers, ...jsonType },
            ...given(wrong),
          }
        }),
        fc.constantFrom('{', '[1,', '"', 'null null', '{"a":1e}').map((body) => ({
          ...request,
          body,
          headers: { ...request.headers, ...jsonType },
          wrong: 'the body is not JSON',
        })),
        fc.constantFrom('text/plain', 'application/xml', 'multipart/form-data').map((type) => ({
          ...request,
          body: request.body ?? '{}',
          headers: { ...request.headers, 'content-type': type },
          wrong: 'the content type is not JSON',
        })),
      )
    }
    return ways.length === 0 ? fc.constant(request) : fc.oneof(...ways)
  }
}

interface Parts {
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

const given = (wrong: string | undefined) => (wrong === undefined ? { wrong: undefined } : { wrong })

function built(
  operation: DescribedOperation,
  path: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
  body: Json,
): ContractRequest {
  // A dot segment is no id: a URL that has it names another path.
  const segment = (value: string) => encodeURIComponent(/^\.*$/.test(value) ? 'dots' : value).replaceAll('.', '%2E')
  const filled = operation.path.replace(/\{(\w+)\}/g, (_, name) => segment(path[name] ?? ''))
  const search = new URLSearchParams(query).toString()
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), latin1(value)] as const)
  return {
    method: operation.method,
    path: search === '' ? filled : `${filled}?${search}`,
    headers: { ...Object.fromEntries(named), ...(body === undefined ? {} : jsonType) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
}

/** What a header may hold on the wire. */
const latin1 = (value: string): string => value.replace(/[^\x20-\x7e]/g, '?').trim()

function withQuery(path: string, name: string, value: string): string {
  const [before = '', search = ''] = path.split('?')
  const query = new URLSearchParams(search)
  query.set(name, value)
  return `${before}?${query}`
}

/** A text of a query as the value that its schema means. */
const readAs = ({ type }: Json, text: string): unknown =>
  (type === 'integer' || type === 'number') && text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text
