import { z } from 'zod'
import { exampleOf } from './examples.ts'
import { Problem, type ProblemCode, problemKinds, problemMediaType, problemSchema } from './problems.ts'
import { type HttpAuth, type RouteContract, routeList } from './routes.ts'

type Json = Record<string, unknown>

const common: readonly ProblemCode[] = ['internal', 'unavailable']
const ofAuth: Readonly<Record<HttpAuth, readonly ProblemCode[]>> = {
  none: [],
  optional: ['invalid_api_key', 'invalid_token'],
  tenant: ['missing_api_key', 'invalid_api_key', 'invalid_token', 'wrong_scope', 'rate_limited'],
  admin: ['missing_api_key', 'invalid_api_key', 'invalid_token', 'wrong_scope', 'rate_limited'],
}
const anyone = [{ apiKey: [] }, { person: [] }]
const securityOf: Readonly<Record<HttpAuth, readonly Json[]>> = {
  none: [],
  optional: [{}, ...anyone],
  tenant: anyone,
  admin: anyone,
}
const ofBody: readonly ProblemCode[] = [
  'malformed_json',
  'invalid_request',
  'payload_too_large',
  'unsupported_media_type',
]

/** Every problem that a call may be answered with. */
export function problemsOf(route: RouteContract): readonly ProblemCode[] {
  const takesQuery = Object.keys(route.query.shape).length > 0
  return [
    ...new Set([
      ...ofAuth[route.auth],
      ...(route.body ? ofBody : []),
      ...(takesQuery || route.auth === 'tenant' || route.auth === 'admin' ? (['invalid_request'] as const) : []),
      ...route.problems,
      ...common,
    ]),
  ]
}

/** The OpenAPI 3.1 document, from the schemas that validate. */
export function openApiDocument(): Json {
  const schemas = new Components()
  const paths: Record<string, Json> = {}
  for (const route of routeList) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '1',
      summary: 'WhatsApp connections that stay up.',
      description:
        'Times are ISO 8601 in UTC. Phone numbers are E.164; bare digits and JIDs are accepted. Errors are RFC 9457 problem documents with a stable `code`.',
    },
    paths,
    components: {
      schemas: schemas.all,
      securitySchemes: {
        apiKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Api-Key',
          description: "A business profile's key; on `/admin` the admin key.",
        },
        person: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A person, by a token of the OpenID Connect provider that the deployment names (setting `signIn`); without one, tokens are refused as if they were not there. Claims say which business profile, which scopes, and who may call `/admin`. Where both are sent, the key counts.',
        },
      },
    },
    tags: [...new Set(routeList.map((route) => route.tag))].map((name) => ({ name })),
  }
}

function operation(route: RouteContract, schemas: Components): Json {
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [route.tag],
    security: securityOf[route.auth],
    parameters: [
      ...parameters('path', route.params),
      ...parameters('query', route.query),
      ...(route.headers ? parameters('header', route.headers) : []),
    ],
    ...(route.body
      ? {
          requestBody: {
            required: !route.bodyOptional,
            content: { 'application/json': schemas.withExample(route.body, 'input') },
          },
        }
      : {}),
    responses: { ...success(route, schemas), ...problemResponses(route, schemas) },
  }
}

function success(route: RouteContract, schemas: Components): Json {
  const { status, description, also, body, otherMediaTypes = [] } = route.response
  const content = {
    ...(body ? { 'application/json': schemas.withExample(body, 'output') } : {}),
    ...Object.fromEntries(otherMediaTypes.map((type) => [type, {}])),
  }
  const answer = (text: string) => ({
    description: text,
    headers: requestIdHeader,
    ...(Object.keys(content).length > 0 ? { content } : {}),
  })
  return { [status]: answer(description), ...(also ? { [also.status]: answer(also.description) } : {}) }
}

const requestIdHeader = {
  'X-Request-Id': { description: 'Id of the request, as in the logs.', schema: { type: 'string' } },
}
const retryAfter = { description: 'Seconds to wait before the call is tried again.', schema: { type: 'integer' } }

/** Codes with the same status share a response. */
function problemResponses(route: RouteContract, schemas: Components): Json {
  const responses: Json = {}
  for (const [status, codes] of Map.groupBy(problemsOf(route), (code) => problemKinds[code].status)) {
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${problemKinds[code].title}`).join(' '),
      headers: {
        ...requestIdHeader,
        ...(codes.some((code) => new Problem(code).retryable) ? { 'Retry-After': retryAfter } : {}),
      },
      content: {
        [problemMediaType]: {
          schema: schemas.reference(problemSchema, 'output'),
          examples: Object.fromEntries(
            codes.map((code) => [code, { value: new Problem(code).document('Lx1c5gQ0DoEEMrQ=') }]),
          ),
        },
      },
    }
  }
  return responses
}

function parameters(place: 'path' | 'query' | 'header', schema: z.ZodObject): Json[] {
  const converted = jsonSchema(schema, 'input')
  const required = new Set(Array.isArray(converted.required) ? converted.required : [])
  return Object.entries((converted.properties ?? {}) as Record<string, Json>).map(([name, property]) => {
    const { description, ...rest } = property
    return {
      name: place === 'header' ? headerName(name) : name,
      in: place,
      required: place === 'path' || required.has(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

const headerName = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (letters) => letters.toUpperCase())

type Direction = 'input' | 'output'

function jsonSchema(schema: z.ZodType, io: Direction): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    // A value that is computed from what the caller wrote is described by what the caller writes.
    unrepresentable: 'any',
  }) as Json
  return rest
}

/** Schemas that have an id stand once under `components` and are referred to. */
class Components {
  readonly all: Record<string, Json> = {}

  reference(schema: z.ZodType, io: Direction): Json {
    const { $defs, ...converted } = jsonSchema(schema, io)
    for (const [id, definition] of Object.entries(($defs ?? {}) as Record<string, Json>)) this.#add(id, definition)
    const id = z.globalRegistry.get(schema)?.id
    if (id === undefined) return relocate(converted)
    this.#add(id, converted)
    return { $ref: `#/components/schemas/${id}` }
  }

  /** What a media type says: the schema, and a value that it accepts. */
  withExample(schema: z.ZodType, io: Direction): Json {
    const reference = this.reference(schema, io)
    const resolve = (name: string): unknown => this.all[name.slice('#/components/schemas/'.length)]
    return { schema: reference, example: exampleOf(reference, resolve) }
  }

  #add(id: string, definition: Json): void {
    const { id: _, ...rest } = definition
    this.all[id] ??= relocate(rest)
  }
}

/** `#/$defs/X` becomes `#/components/schemas/X`. */
function relocate(value: Json): Json {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}
