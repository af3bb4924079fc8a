import { type ClientRequest, Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https'

/** The caller lost the right to call while the call was under way. Not tried again. */
export class CallRefused extends Error {
  constructor() {
    super('the right to call the store is over')
    this.name = 'CallRefused'
  }
}

/** Absent: the caller may always call. */
export type MayCall = (() => boolean) | undefined

/**
 * Agents that ask once more when a request has its socket, which is when its first byte could leave: until then it may have
 * waited for a free socket, or for a new one to connect, and the process may have been frozen meanwhile.
 */
export function guardedHttpAgent(options: HttpAgentOptions, mayCall: MayCall): HttpAgent {
  return guarded(new HttpAgent(options), mayCall)
}

export function guardedHttpsAgent(options: HttpsAgentOptions, mayCall: MayCall): HttpsAgent {
  return guarded(new HttpsAgent(options), mayCall)
}

/** What `http.request` hands its request to; Node's types leave it out. */
interface TakesRequests {
  addRequest(request: ClientRequest, ...rest: readonly unknown[]): void
}

function guarded<A extends HttpAgent>(agent: A, mayCall: MayCall): A {
  if (mayCall === undefined) return agent
  const inner = agent as A & TakesRequests
  const addRequest = inner.addRequest.bind(agent)
  inner.addRequest = (request, ...rest) => {
    guard(request, mayCall)
    addRequest(request, ...rest)
  }
  return agent
}

function guard(request: ClientRequest, mayCall: () => boolean): void {
  const check = (): void => {
    if (!mayCall()) request.destroy(new CallRefused())
  }
  request.once('socket', (socket) => {
    if (!socket.connecting) return check()
    // Before what waits on the socket is written.
    socket.prependOnceListener('connect', check)
    socket.prependOnceListener('secureConnect', check)
  })
}
