import { documentClient } from '../../shared/aws/clients.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'

export interface RenewalStoreSettings {
  readonly tableName: string
  readonly region: string
}

/**
 * The renewing thread's own way to DynamoDB: sockets that nothing else fills, one attempt each, since the next renewal is the
 * retry and a late one is worth less than a fresh one.
 */
export function openStore(settings: RenewalStoreSettings): Pick<FleetStore, 'renew'> {
  const documents = documentClient({
    region: settings.region,
    requestTimeoutMs: 8_000,
    connectionTimeoutMs: 2_000,
    attempts: 1,
    sockets: 6,
  })
  return fleetStore({ documents, table: settings.tableName })
}
