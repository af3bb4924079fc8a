import { type ApiKeys, apiKeys } from './api-keys.ts'
import { type BusinessProfiles, businessProfiles } from './business-profiles.ts'
import type { StoreTable } from './requests.ts'

/** Business profiles and their API keys. */
export type Accounts = BusinessProfiles & ApiKeys

export function accounts(store: StoreTable): Accounts {
  return { ...businessProfiles(store), ...apiKeys(store) }
}

export type { ApiKey, Authentication, NewApiKey } from './api-keys.ts'
export type { BusinessProfile } from './business-profiles.ts'
