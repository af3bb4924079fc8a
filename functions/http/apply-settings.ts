import type { ApiKeys } from '../../shared/aws/api-keys.ts'
import type { BusinessProfile } from '../../shared/aws/business-profiles.ts'
import type { Webhooks } from '../../shared/aws/webhooks.ts'
import type { ApiConnections } from '../../shared/domain/stores/connections.ts'
import type { ProfileSettings } from '../../shared/domain/tenancy.ts'
import { bounded } from '../bounded.ts'
import { isoNow } from '../time.ts'

const pageSize = 100
const writesAtOnce = 10

/** What a connection carries of its profile's settings, so that sends and received messages need not read the profile. */
export function settingsOfConnections({ quotas, retention }: ProfileSettings) {
  return { retention, sendsPerDay: quotas.sendsPerDay ?? null }
}

/** Carries changed settings to keys, connections and webhooks. May be repeated: the profile itself is the truth. */
export async function applyToProfile(
  stores: {
    readonly keys: ApiKeys
    readonly connections: Pick<ApiConnections, 'list' | 'configure'>
    readonly webhooks: Pick<Webhooks, 'list' | 'configure'>
  },
  profile: BusinessProfile,
): Promise<void> {
  const { businessProfileId, limits, retention } = profile
  await stores.keys.applySettings(businessProfileId, { limits, retention })
  for (const webhook of await stores.webhooks.list(businessProfileId)) {
    await stores.webhooks.configure(webhook, retention)
  }
  let next: string | undefined
  do {
    const page = await stores.connections.list(businessProfileId, pageSize, next)
    await bounded(page.items, writesAtOnce, (row) =>
      stores.connections.configure(row, settingsOfConnections(profile), isoNow()),
    )
    next = page.next
  } while (next !== undefined)
}
