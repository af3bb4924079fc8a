/** Control of faults, and the counters. */

import type { Connection } from './connection.ts'
import { Problem, type Route, route } from './control-http.ts'
import { parse, shownFault } from './control-requests.ts'
import { actAtOnce } from './fault-actions.ts'
import { faultRequest } from './faults.ts'
import type { Simulator } from './simulator.ts'

export function faultRoutes(simulator: Simulator, connections: ReadonlySet<Connection>): Route[] {
  const { faults, stats } = simulator
  return [
    route('POST', '/faults', ({ body }) => {
      const fault = faults.add(parse(faultRequest, body))
      actAtOnce(simulator, fault, connections)
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
