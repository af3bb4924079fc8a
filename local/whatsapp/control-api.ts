/** The HTTP control API: phones, faults, statistics and the event stream, in JSON. Problems are RFC 9457 documents. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection } from './connection.ts'
import { type Answer, Problem, type Route, readBody, route, writeAnswer, writeProblem } from './control-http.ts'
import { faultRoutes } from './fault-routes.ts'
import { groupRoutes } from './group-routes.ts'
import { mediaRoutes } from './media-routes.ts'
import { UnknownMessage } from './message-builder.ts'
import { messageRoutes } from './message-routes.ts'
import { PairingError, type PairingProblem } from './pairing.ts'
import { phoneRoutes } from './phone-routes.ts'
import type { Simulator } from './simulator.ts'

const PAIRING_STATUS: Record<PairingProblem, number> = {
  qr_malformed: 400,
  qr_not_offered: 404,
  qr_key_mismatch: 409,
  code_not_requested: 404,
  code_wrong: 422,
  passkey_required: 403,
  pairing_in_progress: 409,
  device_signature_invalid: 422,
  client_gone: 409,
}

export class ControlApi {
  readonly #simulator: Simulator
  readonly #routes: Route[]
  readonly #stopping = new AbortController()

  constructor(simulator: Simulator, connections: ReadonlySet<Connection>) {
    this.#simulator = simulator
    this.#routes = [
      route('GET', '/health', () => ({ status: 200, body: { status: 'ok' } })),
      ...phoneRoutes(simulator),
      ...messageRoutes(simulator),
      ...mediaRoutes(simulator),
      ...groupRoutes(simulator),
      ...faultRoutes(simulator, connections),
    ]
  }

  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://simulator')
    if (incoming.method === 'GET' && url.pathname === '/events') {
      this.#stream(response)
      return
    }
    try {
      writeAnswer(response, await this.#answer(incoming, response, url))
    } catch (error) {
      writeProblem(response, error instanceof Problem ? error : asProblem(error))
    }
  }

  /** Ends waiting requests and event streams. */
  close(): void {
    this.#stopping.abort()
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse, url: URL): Promise<Answer> {
    const known = this.#routes.filter(({ pattern }) => pattern.test(url.pathname))
    const route = known.find(({ method }) => method === incoming.method)
    if (!route) {
      const allowed = known.map(({ method }) => method).join(', ')
      throw known.length === 0
        ? new Problem(404, 'route_unknown', `there is no ${url.pathname}`)
        : new Problem(405, 'method_not_allowed', `${url.pathname} takes ${allowed}`)
    }
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const path = (route.pattern.exec(url.pathname) ?? []).slice(1).map(decodeURIComponent)
    const signal = AbortSignal.any([gone.signal, this.#stopping.signal])
    return route.handle({ path, query: url.searchParams, body: await readBody(incoming), signal })
  }

  /** Newline-delimited JSON, one event a line, until the caller hangs up. */
  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.flushHeaders()
    const unsubscribe = this.#simulator.events.subscribe((event) => response.write(`${JSON.stringify(event)}\n`))
    const end = (): void => {
      unsubscribe()
      response.end()
    }
    this.#stopping.signal.addEventListener('abort', end)
    response.on('close', () => {
      unsubscribe()
      this.#stopping.signal.removeEventListener('abort', end)
    })
  }
}

function asProblem(error: unknown): Problem {
  if (error instanceof PairingError) return new Problem(PAIRING_STATUS[error.problem], error.problem, error.message)
  if (error instanceof UnknownMessage) return new Problem(404, 'message_unknown', error.message)
  return new Problem(500, 'internal', error instanceof Error ? error.message : String(error))
}
