import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { noSettings, type ProfileSettings } from '../domain/tenancy.ts'
import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import { putIf, update } from './expressions.ts'
import { conditional, type Item, type StoreTable } from './requests.ts'

export interface BusinessProfile extends ProfileSettings {
  readonly businessProfileId: BusinessProfileId
  readonly name: string
  /** `erasing`: its keys are gone, and so will be everything else. */
  readonly state: 'active' | 'erasing'
  /** Rises by one at every change. */
  readonly version: number
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
}

/** What an operator may change. A group of settings is replaced as a whole. */
export type ProfileChange = { readonly name?: string } & Partial<ProfileSettings>

export type ProfileOutcome =
  | { readonly kind: 'written'; readonly profile: BusinessProfile }
  /** It has another version than the caller saw. */
  | { readonly kind: 'changed'; readonly profile: BusinessProfile }
  | { readonly kind: 'erasing' }
  | { readonly kind: 'not_found' }

export interface BusinessProfiles {
  createBusinessProfile(
    profile: Pick<BusinessProfile, 'businessProfileId' | 'name' | 'createdAt'> & Partial<ProfileSettings>,
  ): Promise<{ readonly kind: 'created'; readonly profile: BusinessProfile } | { readonly kind: 'exists' }>
  /** Consistent. */
  getBusinessProfile(businessProfileId: BusinessProfileId): Promise<BusinessProfile | undefined>
  /** @param version where given, only if it has it */
  updateBusinessProfile(
    businessProfileId: BusinessProfileId,
    change: ProfileChange,
    now: IsoTime,
    version?: number,
  ): Promise<ProfileOutcome>
  /** From then on it gets no new keys and cannot be changed. Twice is the same as once. */
  markErasing(businessProfileId: BusinessProfileId, now: IsoTime): Promise<{ readonly kind: 'marked' | 'not_found' }>
  /** The last step of its erasure. */
  removeBusinessProfile(businessProfileId: BusinessProfileId): Promise<void>
}

export const profilePk = (businessProfileId: BusinessProfileId): string => `profile#${businessProfileId}`
export const profileKey = (businessProfileId: BusinessProfileId) => ({
  pk: profilePk(businessProfileId),
  sk: 'profile',
})

export function profileOf(item: Item): BusinessProfile {
  const { pk: _pk, sk: _sk, ...row } = item
  return row as unknown as BusinessProfile
}

/** All calls 1 WCU, `getBusinessProfile` 1 RCU. */
export function businessProfiles({ documents, table }: StoreTable): BusinessProfiles {
  return {
    async createBusinessProfile(given) {
      const profile: BusinessProfile = {
        ...noSettings,
        ...given,
        state: 'active',
        version: 1,
        updatedAt: given.createdAt,
      }
      const item = { ...profile, ...profileKey(profile.businessProfileId) }
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, item, 'attribute_not_exists(#pk)'))),
      )
      return put.kind === 'landed' ? { kind: 'created', profile } : { kind: 'exists' }
    },

    async getBusinessProfile(businessProfileId) {
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: profileKey(businessProfileId), ConsistentRead: true }),
      )
      return Item === undefined ? undefined : profileOf(Item)
    },

    async updateBusinessProfile(businessProfileId, change, now, version) {
      const seen = version === undefined ? '' : ' AND #version = :seen'
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, profileKey(businessProfileId), {
              set: { ...change, updatedAt: now },
              compute: { version: '#version + :one' },
              condition: `#state = :active${seen}`,
              values: { ':active': 'active', ':one': 1, ...(version === undefined ? {} : { ':seen': version }) },
            }),
            ReturnValues: 'ALL_NEW',
          }),
        ),
      )
      if (written.kind === 'landed') return { kind: 'written', profile: profileOf(written.output.Attributes ?? {}) }
      if (written.item === undefined) return { kind: 'not_found' }
      const profile = profileOf(written.item)
      return profile.state === 'erasing' ? { kind: 'erasing' } : { kind: 'changed', profile }
    },

    async markErasing(businessProfileId, now) {
      const marked = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, profileKey(businessProfileId), {
              set: { state: 'erasing', updatedAt: now },
              compute: { version: '#version + :one' },
              condition: 'attribute_exists(#pk)',
              values: { ':one': 1 },
            }),
          ),
        ),
      )
      return { kind: marked.kind === 'landed' ? 'marked' : 'not_found' }
    },

    async removeBusinessProfile(businessProfileId) {
      await documents.send(new DeleteCommand({ TableName: table, Key: profileKey(businessProfileId) }))
    },
  }
}
