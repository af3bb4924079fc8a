import type { ApiConnections, WatchdogConnections, WorkerConnections } from '../domain/stores/connections.ts'
import type { StoreTable } from './requests.ts'

export function workerConnections(_store: StoreTable): WorkerConnections {
  throw new Error('not written yet')
}
export function apiConnections(_store: StoreTable): ApiConnections {
  throw new Error('not written yet')
}
export function watchdogConnections(_store: StoreTable): WatchdogConnections {
  throw new Error('not written yet')
}
