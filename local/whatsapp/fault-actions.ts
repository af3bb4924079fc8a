/** How each ending fault ends a socket. */

import { type Attributes, node } from './binary-node.ts'
import type { Connection } from './connection.ts'
import { endsSockets, type Fault } from './faults.ts'
import type { Simulator } from './simulator.ts'
import { unlink } from './unlinking.ts'

function assertNever(value: never): never {
  throw new Error(`not an ending fault: ${JSON.stringify(value)}`)
}

/** Counts the fault as applied, and ends the socket the way it says. */
export function endSocket(simulator: Simulator, fault: Fault, connection: Connection): void {
  simulator.faults.apply(fault)
  const { request } = fault
  const reason = `fault ${request.kind}`
  switch (request.kind) {
    case 'drop':
      connection.reset(reason)
      break
    case 'close':
      connection.endWith(reason, ...(request.how === 'xmlstreamend' ? [node('xmlstreamend')] : []))
      break
    case 'failure':
      simulator.stats.refusedLogins++
      connection.endWith(reason, node('failure', { reason: request.reason.toString() }))
      break
    case 'stream-error': {
      const attrs: Attributes = request.code === undefined ? {} : { code: request.code.toString() }
      connection.streamError(reason, attrs, ...(request.child === undefined ? [] : [node(request.child)]))
      break
    }
    case 'replaced':
      connection.streamError(reason, {}, node('conflict', { type: 'replaced' }))
      break
    case 'device-removed':
      if (connection.companion) unlink(simulator, connection.companion, 'phone', !request.withoutCode)
      else connection.streamError(reason, { code: '401' }, node('conflict', { type: 'device_removed' }))
      break
    case 'downgrade':
      connection.endWith(reason, node('ib', { from: 's.whatsapp.net' }, [node('downgrade_webclient')]))
      break
    case 'silent':
    case 'refuse-upgrade':
    case 'no-acks':
    case 'error-acks':
    case 'drop-acks':
    case 'refuse-queries':
    case 'ignore-queries':
    case 'refuse-media':
    case 'delay':
      break
    default:
      assertNever(request)
  }
}

/** Lets a new fault act on the sockets that are open now. Returns how many it ended. */
export function actAtOnce(simulator: Simulator, fault: Fault, connections: Iterable<Connection>): number {
  if (!endsSockets(fault.request.kind)) return 0
  for (const connection of [...connections]) {
    if (simulator.faults.spent(fault)) break
    if (connection.open && simulator.faults.matches(fault, connection)) endSocket(simulator, fault, connection)
  }
  const { id, applied, request } = fault
  simulator.events.publish({ event: 'fault', id, kind: request.kind, applied })
  return applied
}
