import type { FleetStore } from '../domain/stores/fleet.ts'
import type { StoreTable } from './requests.ts'

export function fleetStore(_store: StoreTable): FleetStore {
  throw new Error('not written yet')
}
