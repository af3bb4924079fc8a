/**
 * What the console finds on this machine only: the demo's keys, and the simulated WhatsApp's control API. For pages of the
 * console's own origin: a request that another page makes is refused.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ExtraRoute } from './gateway/start-gateway.ts'

export interface ConsoleExtras {
  readonly apiKey: string
  readonly adminApiKey: string
  readonly customer: string
}

export interface ConsoleExtrasRoute extends ExtraRoute {
  /** Nothing is told before. */
  tell(extras: ConsoleExtras): void
}

const PREFIX = '/_local'
const SIMULATOR = `${PREFIX}/simulator`

/** @param simulatorUrl the control API; undefined with another WhatsApp */
export function consoleExtras(simulatorUrl: string | undefined): ConsoleExtrasRoute {
  let extras: ConsoleExtras | undefined
  return {
    prefix: PREFIX,
    tell(given) {
      extras = given
    },
    handle(request, response) {
      const path = request.url ?? ''
      if (!isOwn(request)) {
        json(response, 403, { detail: 'This is for the console of this machine only.' })
        return
      }
      if (path === `${PREFIX}/console.json` && extras !== undefined) {
        json(response, 200, { ...extras, ...(simulatorUrl === undefined ? {} : { simulator: SIMULATOR }) })
      } else if (path.startsWith(`${SIMULATOR}/`) && simulatorUrl !== undefined) {
        pass(request, response, new URL(path.slice(SIMULATOR.length), simulatorUrl))
      } else json(response, 404, { detail: `There is no ${path}.` })
    },
  }
}

/** A host other than loopback is a name that somebody made point here. */
function isOwn({ headers }: IncomingMessage): boolean {
  const { host = '', origin } = headers
  const site = headers['sec-fetch-site']
  const isLoopback = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)
  return (
    isLoopback &&
    (origin === undefined || origin === `http://${host}`) &&
    (site === undefined || site === 'same-origin')
  )
}

function pass(request: IncomingMessage, response: ServerResponse, url: URL): void {
  const { host: _host, origin: _origin, ...headers } = request.headers
  const onward = httpRequest(url, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => {
    if (response.headersSent) response.destroy()
    else json(response, 502, { detail: 'The simulated WhatsApp does not answer.' })
  })
  response.on('close', () => onward.destroy())
  request.pipe(onward)
}

function json(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body))
}
