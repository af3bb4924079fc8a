import type { Answer, Call, InputArguments } from './contract.ts'
import { ProblemError } from './problem-error.ts'

export interface HttpOptions {
  /** e.g. `https://….execute-api.eu-west-1.amazonaws.com` */
  readonly baseUrl: string
  /** Absent: whatever stands between adds it. An API key does not belong into a public page. */
  readonly apiKey?: string
  /** A person's bearer token instead, asked for at each call, so that it may be renewed meanwhile. */
  readonly token?: () => string | Promise<string>
  /** Default: the platform's own. */
  readonly fetch?: typeof fetch
}

/** A call below the contract's types, e.g. with a body that is not JSON. */
export interface RawCall {
  readonly method: string
  /** As the contract writes it: `/connections/{connectionId}`. */
  readonly path: string
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** As it is; the headers say what it is. */
  readonly body?: string | Blob | Uint8Array<ArrayBuffer> | ArrayBuffer
  readonly signal?: AbortSignal
}

/** The REST API, call by call. */
export class Http {
  readonly #base: string
  readonly #apiKey: string | undefined
  readonly #token: HttpOptions['token']
  readonly #fetch: typeof fetch

  constructor({ baseUrl, apiKey, token, fetch: own }: HttpOptions) {
    this.#base = baseUrl.replace(/\/+$/, '')
    this.#apiKey = apiKey
    this.#token = token
    // Browsers refuse a `fetch` that is called as a method of something else.
    this.#fetch = own ?? ((input, init) => fetch(input, init))
  }

  /**
   * One call of the contract, `GET /connections/{connectionId}`: JSON in, JSON out.
   *
   * @throws {ProblemError} for every answer that is not a good one; what `fetch` throws when there is no answer
   */
  async request<C extends Call>(call: C, ...[input]: InputArguments<C>): Promise<Answer<C>> {
    const [method = '', path = ''] = call.split(' ')
    const { body, headers, ...rest } = (input ?? {}) as Omit<RawCall, 'method' | 'path' | 'body'> & { body?: unknown }
    const response = await this.raw({
      ...rest,
      method,
      path,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return (text === '' ? undefined : JSON.parse(text)) as Answer<C>
  }

  /**
   * The answer as it came, for what is not JSON.
   *
   * @throws {ProblemError} for every answer that is not a good one; what `fetch` throws when there is no answer
   */
  async raw({ method, path, params = {}, query = {}, headers = {}, body, signal }: RawCall): Promise<Response> {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const value = params[name]
      if (!value) throw new TypeError(`${name}: expected an id, found ${value === '' ? 'an empty text' : value}`)
      return encodeURIComponent(value)
    })
    const url = new URL(`${this.#base}${filled}`)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    const given = Object.entries(headers).filter((header): header is [string, string] => header[1] !== undefined)
    const response = await this.#fetch(url, {
      method,
      headers: { ...(await this.#who()), ...Object.fromEntries(given) },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (response.ok) return response
    throw new ProblemError(response.status, documentOf(await response.text()), response.headers.get('retry-after'))
  }

  async #who(): Promise<Record<string, string>> {
    if (this.#apiKey !== undefined) return { 'x-api-key': this.#apiKey }
    return this.#token === undefined ? {} : { authorization: `Bearer ${await this.#token()}` }
  }
}

function documentOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
