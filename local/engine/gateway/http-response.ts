/** How an HTTP API reads a function's answer (payload format 2.0), and the answers it gives itself. */

export interface HttpResponse {
  readonly status: number
  /** Lower-case names; several `set-cookie` lines as a list. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Buffer
}

/** `{ "message": … }`, as API Gateway itself answers. */
export function gatewayAnswer(status: number, message: string): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ message })),
  }
}

export const internalServerError = gatewayAnswer(500, 'Internal Server Error')

/**
 * A payload without `statusCode` is the body of a 200 in JSON. One with it is taken apart; where its parts are of the wrong
 * type, API Gateway answers 500.
 */
export function responseOfPayload(payload: unknown): HttpResponse {
  if (!isObject(payload) || payload.statusCode === undefined) {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload ?? null)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) }
  }
  const status = Number(payload.statusCode)
  const { body, headers, cookies, isBase64Encoded } = payload
  if (!Number.isInteger(status) || status < 100 || status > 599) return internalServerError
  if (body !== undefined && body !== null && typeof body !== 'string') return internalServerError
  const named = headerTexts(headers)
  if (named === undefined) return internalServerError
  const setCookies = Array.isArray(cookies) ? cookies.map(String) : []
  return {
    status,
    headers: {
      'content-type': 'text/plain;charset=UTF-8',
      ...named,
      ...(setCookies.length === 0 ? {} : { 'set-cookie': setCookies }),
    },
    body: Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8'),
  }
}

/** Scalars become text; anything else makes the answer malformed. */
function headerTexts(headers: unknown): Record<string, string> | undefined {
  if (headers === undefined || headers === null) return {}
  if (!isObject(headers)) return undefined
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined
    texts[name.toLowerCase()] = String(value)
  }
  return texts
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
