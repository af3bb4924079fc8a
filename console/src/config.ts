/** Where the API is and how people sign in: `config.json` beside the page, written by the deployment. */
export interface ConsoleConfig {
  readonly stage: string
  /** REST API. */
  readonly httpUrl: string
  /** WebSocket API. */
  readonly liveUrl: string
  /** Absent: people sign in by an API key. */
  readonly signIn?: SignInConfig
}

/** The OpenID Connect provider that people sign in by. */
export interface SignInConfig {
  readonly issuer: string
  readonly clientId: string
  /** Which of its tokens the API takes. */
  readonly token: 'access' | 'id'
  readonly scope: string
  /** Of the sign-in page's address, beside those that OpenID Connect has. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What only a run on this machine has: keys of its demo, and the simulated phones. */
export interface LocalExtras {
  readonly apiKey: string
  readonly adminApiKey: string
  /** Path of the simulated WhatsApp's control API; absent with another WhatsApp. */
  readonly simulator?: string
  /** Number of the phone to write to. */
  readonly customer?: string
}

export interface Place {
  readonly config: ConsoleConfig
  readonly local?: LocalExtras
}

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** @throws {Error} with a sentence for a person */
export async function findPlace(): Promise<Place> {
  const config = await json<ConsoleConfig>('/config.json')
  if (config === undefined) throw new Error('This console has no configuration (config.json is missing).')
  if (!loopback.has(location.hostname)) return { config }
  const local = await json<LocalExtras>('/_local/console.json')
  return local === undefined ? { config } : { config, local }
}

async function json<T>(path: string): Promise<T | undefined> {
  const answer = await fetch(path, { cache: 'no-store' })
  const isJson = answer.headers.get('content-type')?.includes('json') === true
  return answer.ok && isJson ? ((await answer.json()) as T) : undefined
}
