/** How unmodified Baileys reaches a media host that speaks plain HTTP, as the simulator's README says it. */

import { Agent } from 'node:https'
import { connect, type Socket } from 'node:net'

/** For uploads: `fetchAgent` of the socket config. It passes for an https agent and connects without TLS. */
export class PlainAgent extends Agent {
  override createConnection(options: { host?: string; port?: number | string }): Socket {
    return connect({ host: options.host ?? '127.0.0.1', port: Number(options.port) })
  }
}

interface Dispatcher {
  dispatch(options: { origin: string | URL }, handler: unknown): boolean
}

const GLOBAL_DISPATCHER = Symbol.for('undici.globalDispatcher.1')

/** For downloads: `options.dispatcher`, which fetch asks with the https address that Baileys makes of a direct path. */
export const plainDispatcher: Dispatcher = {
  dispatch: (options, handler) => {
    const origin = options.origin.toString().replace(/^https:/, 'http:')
    const global = (globalThis as unknown as Record<symbol, Dispatcher>)[GLOBAL_DISPATCHER]
    if (!global) throw new Error('fetch has no global dispatcher')
    return global.dispatch({ ...options, origin }, handler)
  },
}
