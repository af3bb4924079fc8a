import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, as a caller has it who knows nothing of ours
export type Json = any

export interface DescribedParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Json
}

/** One call, as `GET /openapi.json` tells of it and as nothing else does. */
export interface DescribedOperation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly DescribedParameter[]
  /** Absent: it takes no body. */
  readonly body?: { readonly required: boolean; readonly schema: Json; readonly example: Json }
  /** With a key of a business profile, with the admin key, or without any. */
  readonly needsKey: boolean
  readonly responses: Readonly<Record<string, Json>>
}

const home = 'https://contract.test/openapi'

/** The served document: its operations, and validators for whatever it has a schema for. */
export class Described {
  readonly operations: readonly DescribedOperation[]
  readonly #document: Json
  readonly #ajv = new Ajv2020({ strict: false, allErrors: false })
  readonly #validators = new Map<string, ValidateFunction>()

  constructor(document: Json) {
    this.#document = document
    addFormats.default(this.#ajv)
    this.#ajv.addFormat('base64', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)
    this.#ajv.addSchema({ $id: home, components: document.components })
    this.operations = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).map(([method, operation]) => {
        const content = operation.requestBody?.content['application/json']
        return {
          id: operation.operationId,
          method: method.toUpperCase(),
          path,
          parameters: operation.parameters,
          ...(content === undefined
            ? {}
            : {
                body: { required: operation.requestBody.required, schema: content.schema, example: exampleIn(content) },
              }),
          needsKey:
            operation.security.every((way: object) => Object.keys(way).length > 0) && operation.security.length > 0,
          responses: operation.responses,
        }
      }),
    )
  }

  resolve(schema: Json): Json {
    if (typeof schema?.$ref !== 'string') return schema
    const found = schema.$ref
      .slice(2)
      .split('/')
      .reduce((value: Json, key: string) => value?.[key], this.#document)
    if (found === undefined) throw new Error(`the document refers to ${schema.$ref}, which it does not have`)
    return this.resolve(found)
  }

  /** What is wrong with a value; undefined where the schema takes it. */
  errorsOf(schema: Json, value: unknown): string | undefined {
    const text = JSON.stringify(schema)
    let validate = this.#validators.get(text)
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(text.replaceAll('"$ref":"#/', `"$ref":"${home}#/`)))
      this.#validators.set(text, validate)
    }
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors, { dataVar: 'value' })
  }
}

const exampleIn = ({ example, examples }: Json): Json => example ?? Object.values<Json>(examples ?? {})[0]?.value
