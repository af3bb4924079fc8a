/** The HTTP control API: phones, faults, statistics and the event stream, in JSON. Problems are RFC 9457 documents. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection } from './connection.ts'
import {
  type Answer,
  type Handler,
  Problem,
  type Request,
  type Route,
  readBody,
  route,
  writeAnswer,
  writeProblem,
} from './control-http.ts'
import {
  defined,
  message,
  messageId,
  newPhone,
  pairingCode,
  parse,
  phoneSettings,
  scan,
  shownDevices,
  shownFault,
  shownPhone,
} from './control-requests.ts'
import type { Account } from './directory.ts'
import { actAtOnce } from './fault-actions.ts'
import { faultRequest } from './faults.ts'
import { PairingError, type PairingProblem } from './pairing.ts'
import type { Simulator } from './simulator.ts'
import { reinstall, unlink } from './unlinking.ts'

const INBOX_WAIT_SECONDS_MAX = 60
const PAIRING_TIMEOUT_MS = 30_000

const PAIRING_STATUS: Record<PairingProblem, number> = {
  qr_malformed: 400,
  qr_not_offered: 404,
  qr_key_mismatch: 409,
  code_not_requested: 404,
  code_wrong: 422,
  pairing_in_progress: 409,
  device_signature_invalid: 422,
  client_gone: 409,
}

export class ControlApi {
  readonly #simulator: Simulator
  readonly #connections: ReadonlySet<Connection>
  readonly #routes: Route[]
  readonly #stopping = new AbortController()

  constructor(simulator: Simulator, connections: ReadonlySet<Connection>) {
    this.#simulator = simulator
    this.#connections = connections
    this.#routes = this.#table()
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

  #table(): Route[] {
    const { directory, faults, stats, pairing } = this.#simulator
    const onPhone =
      (handle: (account: Account, request: Request) => Answer | Promise<Answer>): Handler =>
      (request) =>
        handle(this.#account(request.path[0]), request)
    return [
      route('GET', '/health', () => ({ status: 200, body: { status: 'ok' } })),
      route('POST', '/phones', ({ body }) => {
        const { phoneNumber: number, ...chosen } = parse(newPhone, body)
        const known = directory.account(number) !== undefined
        return { status: known ? 200 : 201, body: shownPhone(directory.createPhone(number, defined(chosen))) }
      }),
      route('GET', '/phones', () => ({ status: 200, body: { phones: [...directory.accounts()].map(shownPhone) } })),
      route(
        'GET',
        '/phones/:number',
        onPhone((account) => ({ status: 200, body: shownPhone(account) })),
      ),
      route(
        'PATCH',
        '/phones/:number',
        onPhone((account, { body }) => {
          account.phone.change(defined(parse(phoneSettings, body)))
          return { status: 200, body: shownPhone(account) }
        }),
      ),
      route(
        'POST',
        '/phones/:number/scan',
        onPhone(async (account, { body, signal }) => {
          const device = await withTimeout(pairing.scan(account, parse(scan, body).qr), signal)
          return { status: 200, body: { device: device.key } }
        }),
      ),
      route(
        'POST',
        '/phones/:number/pairing-code',
        onPhone(async (account, { body, signal }) => {
          const device = await withTimeout(pairing.enterCode(account, parse(pairingCode, body).code), signal)
          return { status: 200, body: { device: device.key } }
        }),
      ),
      route(
        'POST',
        '/phones/:number/messages',
        onPhone(async (account, { body }) => {
          const { to, text, id } = parse(message, body)
          return { status: 201, body: { id: await account.phone.send(this.#account(to), text, id) } }
        }),
      ),
      route(
        'GET',
        '/phones/:number/sent',
        onPhone((account) => ({ status: 200, body: { messages: account.phone.sentMessages() } })),
      ),
      route(
        'GET',
        '/phones/:number/inbox',
        onPhone((account, request) => readInbox(account, request)),
      ),
      route(
        'DELETE',
        '/phones/:number/inbox',
        onPhone((account) => {
          account.phone.inbox.clear()
          return { status: 204 }
        }),
      ),
      route(
        'POST',
        '/phones/:number/read',
        onPhone((account, { body }) => {
          const { id } = parse(messageId, body)
          if (!account.phone.read(id)) throw new Problem(404, 'message_unknown', `the inbox has no message ${id}`)
          return { status: 204 }
        }),
      ),
      route(
        'POST',
        '/phones/:number/deliver',
        onPhone((account, { body }) => {
          const { id } = parse(messageId, body)
          if (!account.phone.confirmDelivery(id))
            throw new Problem(404, 'message_unknown', `the inbox has no message ${id}`)
          return { status: 204 }
        }),
      ),
      route(
        'GET',
        '/phones/:number/devices',
        onPhone((account) => ({ status: 200, body: { devices: shownDevices(account) } })),
      ),
      route(
        'DELETE',
        '/phones/:number/devices/:device',
        onPhone(async (account, { path }) => {
          const device = account.companions.get(Number(path[1]?.split(':').at(-1)))
          if (!device) throw new Problem(404, 'device_unknown', `the phone has no linked device ${path[1]}`)
          unlink(this.#simulator, device, 'phone')
          await this.#simulator.store.flush()
          return { status: 204 }
        }),
      ),
      route(
        'POST',
        '/phones/:number/reinstall',
        onPhone(async (account) => {
          reinstall(this.#simulator, account)
          await this.#simulator.store.flush()
          return { status: 200, body: shownPhone(account) }
        }),
      ),
      route(
        'DELETE',
        '/phones/:number/sessions/:peer',
        onPhone((account, { path }) => {
          account.phone.signal.forgetSessions(this.#account(path[1]).phoneNumber)
          return { status: 204 }
        }),
      ),
      route('POST', '/faults', ({ body }) => {
        const fault = faults.add(parse(faultRequest, body))
        actAtOnce(this.#simulator, fault, this.#connections)
        return { status: 201, body: shownFault(fault) }
      }),
      route('GET', '/faults', () => ({ status: 200, body: { faults: faults.list().map(shownFault) } })),
      route('DELETE', '/faults', () => {
        faults.clear()
        return { status: 204 }
      }),
      route('DELETE', '/faults/:id', ({ path }) => {
        if (!faults.remove(path[0] ?? '')) throw new Problem(404, 'fault_unknown', `no fault ${path[0]} stands`)
        return { status: 204 }
      }),
      route('GET', '/stats', ({ query }) => ({ status: 200, body: stats.report(query.get('messages') !== 'false') })),
      route('POST', '/stats/reset', () => {
        stats.reset()
        return { status: 204 }
      }),
    ]
  }

  #account(number: string | undefined): Account {
    const account = this.#simulator.directory.account((number ?? '').replaceAll(/\D/g, ''))
    if (!account) throw new Problem(404, 'phone_unknown', `there is no phone ${number}; create it with POST /phones`)
    return account
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
  return new Problem(500, 'internal', error instanceof Error ? error.message : String(error))
}

/** A client that never answers must not keep the caller for ever. */
async function withTimeout<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(PAIRING_TIMEOUT_MS)])
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const late = (): void => reject(new Problem(504, 'client_silent', 'the client did not answer in time'))
      if (ended.aborted) late()
      else ended.addEventListener('abort', late)
    }),
  ])
}

async function readInbox(account: Account, { query, signal }: Request): Promise<Answer> {
  const { inbox } = account.phone
  const seconds = Math.min(Number(query.get('wait') ?? 0), INBOX_WAIT_SECONDS_MAX)
  const count = Number(query.get('count') ?? 1)
  if (!(seconds >= 0) || !(count >= 0)) throw new Problem(400, 'invalid_request', 'wait and count: expected numbers')
  if (seconds > 0) await inbox.waitFor(count, AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]))
  return { status: 200, body: inbox.record() }
}
