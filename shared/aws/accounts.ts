import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import type { StoreTable } from './requests.ts'

export interface BusinessProfile {
  readonly businessProfileId: BusinessProfileId
  readonly name: string
  readonly createdAt: IsoTime
}

export interface ApiKey {
  readonly businessProfileId: BusinessProfileId
  readonly keyId: string
  readonly label: string
  readonly scopes: readonly string[]
  readonly createdAt: IsoTime
  readonly expiresAt?: IsoTime
  readonly revokedAt?: IsoTime
  /** To the hour. */
  readonly lastUsedAt?: IsoTime
}

export type Authentication =
  | {
      readonly kind: 'valid'
      readonly businessProfileId: BusinessProfileId
      readonly keyId: string
      readonly scopes: readonly string[]
    }
  /** Never existed, malformed, or revoked. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'expired' }

export interface NewApiKey {
  readonly businessProfileId: BusinessProfileId
  readonly label: string
  readonly scopes: readonly string[]
  readonly expiresAt?: IsoTime
}

export interface Accounts {
  createBusinessProfile(profile: BusinessProfile): Promise<{ readonly kind: 'created' | 'exists' }>
  getBusinessProfile(businessProfileId: BusinessProfileId): Promise<BusinessProfile | undefined>
  /** `secret` is the whole key, `hf_<keyId>_<secret>`; it is shown once, only its SHA-256 is stored. */
  createApiKey(
    key: NewApiKey,
    now: IsoTime,
  ): Promise<
    { readonly kind: 'created'; readonly key: ApiKey; readonly secret: string } | { readonly kind: 'not_found' }
  >
  listApiKeys(businessProfileId: BusinessProfileId): Promise<readonly ApiKey[]>
  /** From the next request on the key is unknown. Revoking twice is the same as once. */
  revokeApiKey(
    businessProfileId: BusinessProfileId,
    keyId: string,
    now: IsoTime,
  ): Promise<{ readonly kind: 'revoked' | 'not_found' }>
  /** Consistent. Notes the use, at most once an hour per key. */
  authenticate(presented: string, now: IsoTime): Promise<Authentication>
}

export function accounts(_store: StoreTable): Accounts {
  throw new Error('not written yet')
}
