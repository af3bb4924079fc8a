/** A business profile on a running product, and devices linked to it as a person links them. */
import { type Connection, HoldfastClient } from '../../shared/client/index.ts'
import { phones, rest } from '../end-to-end/callers.ts'
import type { RunningPlace } from '../end-to-end/place.ts'

export interface Linked {
  readonly connectionId: string
  readonly phoneNumber: string
}

export interface Tenant {
  readonly businessProfileId: string
  readonly apiKey: string
  /** A watcher of its own. */
  readonly client: HoldfastClient
}

export async function createTenant(place: RunningPlace): Promise<Tenant> {
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Bench' })
  const { businessProfileId } = profile
  const { body: key } = await admin.post(`/admin/business-profiles/${businessProfileId}/api-keys`, {
    label: 'watchers',
  })
  return {
    businessProfileId,
    apiKey: key.apiKey,
    client: new HoldfastClient({ baseUrl: place.httpUrl, apiKey: key.apiKey }),
  }
}

export async function link(place: RunningPlace, client: HoldfastClient, phoneNumber: string): Promise<Linked> {
  const simulated = phones(place.simulatorUrl)
  await simulated.create(phoneNumber, { name: 'Tea House', business: true })
  const { connectionId } = await client.connections.create({ label: `Desk ${phoneNumber}` })
  const own = (connection: Connection): boolean => connection.connectionId === connectionId
  const { qr } = await client.live.once('whatsapp-qr', own)
  const connected = client.live.once('whatsapp-connected', own)
  await simulated.scan(phoneNumber, qr?.text ?? '')
  await connected
  return { connectionId, phoneNumber }
}
