import type { Described, DescribedOperation, Json } from './described.ts'
import type { ContractRequest } from './requests.ts'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export async function called(baseUrl: string, key: string | undefined, request: ContractRequest): Promise<Answered> {
  const { method, path, headers, body } = request
  const send = () =>
    fetch(`${baseUrl.replace(/\/$/, '')}${path}`, {
      method,
      headers: { ...(key === undefined ? {} : { 'x-api-key': key }), ...headers },
      ...(body === undefined ? {} : { body }),
    })
  // A socket that was kept open may be closed by the server just when it is used again.
  const response = await send().catch(send)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** What of an answer is not as the document says. */
export function findingsIn(
  described: Described,
  operation: DescribedOperation,
  request: ContractRequest,
  { status, headers, text }: Answered,
): readonly string[] {
  const response = operation.responses[status]
  if (response === undefined) return [`${status} is not documented: ${text.slice(0, 300)}`]
  const findings: string[] = []
  if (status >= 500) findings.push(`${status}: ${text.slice(0, 300)}`)
  if (status < 300 && request.wrong !== undefined) findings.push(`${status} although ${request.wrong}`)
  for (const name of Object.keys(response.headers ?? {})) {
    // It is told of every kind of problem under a status; where one passes by itself is told by its code.
    if (name === 'Retry-After' && status !== 429) continue
    if (headers.get(name) === null) findings.push(`the header ${name} is missing from a ${status}`)
  }
  return [...findings, ...inBody(described, response, status, headers.get('content-type'), text)]
}

function inBody(
  described: Described,
  response: Json,
  status: number,
  contentType: string | null,
  text: string,
): readonly string[] {
  const types = Object.keys(response.content ?? {})
  if (types.length === 0)
    return text === '' ? [] : [`a ${status} has a body, and none is documented: ${text.slice(0, 200)}`]
  const type = contentType?.split(';')[0]?.trim() ?? ''
  const media = response.content[type]
  if (media === undefined) return [`${status} as "${contentType}", which is not among ${types}`]
  if (!type.endsWith('json')) return []
  let value: Json
  try {
    value = JSON.parse(text)
  } catch {
    return [`${status} as ${type}, which is not JSON: ${text.slice(0, 200)}`]
  }
  const wrong = media.schema === undefined ? undefined : described.errorsOf(media.schema, value)
  if (wrong !== undefined) return [`${status}: ${wrong}; it is ${text.slice(0, 400)}`]
  if (!type.includes('problem')) return []
  const codes = Object.keys(media.examples ?? {})
  return [
    ...(codes.includes(value.code) ? [] : [`the code ${value.code} is not documented under ${status}: ${text}`]),
    ...(value.status === status ? [] : [`a ${status} says that it is a ${value.status}`]),
  ]
}
