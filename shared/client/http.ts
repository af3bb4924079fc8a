import { ProblemError } from './problem-error.ts'

export interface HttpOptions {
  /** e.g. `https://….execute-api.eu-west-1.amazonaws.com` */
  readonly baseUrl: string
  readonly apiKey: string
  /** Default: the platform's own. */
  readonly fetch?: typeof fetch
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path segments, encoded here. */
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** One call of the REST API. Resolves with the body of a good answer; throws `ProblemError` for any other. */
export type CallApi = <T>(call: Call) => Promise<T>

export function httpCaller(options: HttpOptions): CallApi {
  const send = options.fetch ?? fetch
  const base = options.baseUrl.replace(/\/+$/, '')
  return async <T>({ method, path, query = {}, body, headers, signal }: Call): Promise<T> => {
    const url = new URL(`${base}/${path.map(encodeURIComponent).join('/')}`)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value))
    const response = await send(url, {
      method,
      headers: {
        accept: 'application/json',
        'x-api-key': options.apiKey,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    const text = await response.text()
    const parsed = text === '' ? undefined : parse(text)
    if (!response.ok) {
      throw new ProblemError(
        response.status,
        isObject(parsed) ? parsed : undefined,
        response.headers.get('retry-after'),
      )
    }
    return parsed as T
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
