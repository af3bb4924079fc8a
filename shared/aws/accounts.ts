import { randomBytes } from 'node:crypto'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { newApiKeyId, sha256Hex } from './ids.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction } from './requests.ts'

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

const profileKey = (businessProfileId: BusinessProfileId) => ({ pk: `profile#${businessProfileId}`, sk: 'profile' })
const keyKey = (businessProfileId: BusinessProfileId, keyId: string) => ({
  pk: `profile#${businessProfileId}`,
  sk: `key#${keyId}`,
})
const lookupKey = (hash: string) => ({ pk: `apikey#${hash}`, sk: 'key' })

/** `hf_<keyId>_<32 random bytes in base64url>` */
const keyFormat = /^hf_[0-9a-z]{16}_[0-9A-Za-z_-]{43}$/

interface StoredKey extends Omit<ApiKey, 'lastUsedAt'> {
  /** Hex SHA-256 of the whole key: leads to the lookup item, not to the key. */
  readonly hash: string
}

interface Lookup {
  readonly pk: string
  readonly businessProfileId: BusinessProfileId
  readonly keyId: string
  readonly scopes: readonly string[]
  readonly expiresAt?: IsoTime
  /** Kept here, where every request reads it anyway, so that noting the use mostly costs nothing. */
  readonly lastUsedAt?: IsoTime
}

const stored = <Row>(item: Item): Row => {
  const { pk: _pk, sk: _sk, ...row } = item
  return row as Row
}

const hourMs = 3_600_000

/**
 * Business profiles and their API keys. `createBusinessProfile` 1 WCU, `createApiKey` 6 WCU (check and two items, doubled),
 * `authenticate` 1 RCU and at most one WCU an hour, `revokeApiKey` 2 RCU and 4 WCU, `listApiKeys` 1 RCU per 4 KB and 1 per key.
 */
export function accounts({ documents, table }: StoreTable): Accounts {
  async function noteUse(lookup: Lookup, hash: string, now: IsoTime): Promise<void> {
    if (lookup.lastUsedAt !== undefined && Date.parse(now) - Date.parse(lookup.lastUsedAt) < hourMs) return
    // A key that was revoked meanwhile is not brought back.
    await conditional(() =>
      documents.send(
        new UpdateCommand(
          update(table, lookupKey(hash), { set: { lastUsedAt: now }, condition: 'attribute_exists(#pk)' }),
        ),
      ),
    )
  }

  async function lookupOf({ hash }: StoredKey): Promise<Lookup | undefined> {
    const { Item } = await documents.send(
      new GetCommand({ TableName: table, Key: lookupKey(hash), ConsistentRead: true }),
    )
    return Item as Lookup | undefined
  }

  return {
    async createBusinessProfile(profile) {
      const put = await conditional(() =>
        documents.send(
          new PutCommand(
            putIf(table, { ...profile, ...profileKey(profile.businessProfileId) }, 'attribute_not_exists(#pk)'),
          ),
        ),
      )
      return { kind: put.kind === 'landed' ? 'created' : 'exists' }
    },

    async getBusinessProfile(businessProfileId) {
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: profileKey(businessProfileId), ConsistentRead: true }),
      )
      return Item === undefined ? undefined : stored<BusinessProfile>(Item)
    },

    async createApiKey({ businessProfileId, label, scopes, expiresAt }, now) {
      const keyId = newApiKeyId()
      const secret = `hf_${keyId}_${randomBytes(32).toString('base64url')}`
      const hash = sha256Hex(secret)
      const key: ApiKey = {
        businessProfileId,
        keyId,
        label,
        scopes,
        createdAt: now,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      }
      const condition = 'attribute_exists(#pk)'
      const created = await transaction(documents, [
        {
          ConditionCheck: {
            TableName: table,
            Key: profileKey(businessProfileId),
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
          },
        },
        { Put: putIf(table, { ...key, hash, ...keyKey(businessProfileId, keyId) }, 'attribute_not_exists(#pk)') },
        {
          Put: putIf(
            table,
            { ...lookupKey(hash), businessProfileId, keyId, scopes, expiresAt },
            'attribute_not_exists(#pk)',
          ),
        },
      ])
      if (created.kind === 'landed') return { kind: 'created', key, secret }
      if (created.refusals[0]?.refused === true) return { kind: 'not_found' }
      throw new Error(`API key ${keyId}: a key with this id exists already`)
    },

    async listApiKeys(businessProfileId) {
      const condition = '#pk = :pk AND begins_with(#sk, :prefix)'
      const items = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':pk': profileKey(businessProfileId).pk, ':prefix': 'key#' },
      })
      const keys = items.map((item) => stored<StoredKey & Pick<ApiKey, 'lastUsedAt'>>(item))
      return Promise.all(
        keys.map(async (key) => {
          const { hash: _hash, ...shown } = key
          const lookup = key.revokedAt === undefined ? await lookupOf(key) : undefined
          const lastUsedAt = lookup?.lastUsedAt ?? key.lastUsedAt
          return lastUsedAt === undefined ? shown : { ...shown, lastUsedAt }
        }),
      )
    },

    async revokeApiKey(businessProfileId, keyId, now) {
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: keyKey(businessProfileId, keyId), ConsistentRead: true }),
      )
      if (Item === undefined) return { kind: 'not_found' }
      const key = stored<StoredKey>(Item)
      if (key.revokedAt !== undefined) return { kind: 'revoked' }
      const lookup = await lookupOf(key)
      await transaction(documents, [
        { Delete: { TableName: table, Key: lookupKey(key.hash) } },
        {
          Update: update(table, keyKey(businessProfileId, keyId), {
            set: { revokedAt: now, lastUsedAt: lookup?.lastUsedAt },
            // A second revocation at the same moment changes nothing.
            condition: 'attribute_exists(#pk) AND attribute_not_exists(#revokedAt)',
          }),
        },
      ])
      return { kind: 'revoked' }
    },

    async authenticate(presented, now) {
      if (!keyFormat.test(presented)) return { kind: 'unknown' }
      const hash = sha256Hex(presented)
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: lookupKey(hash), ConsistentRead: true }),
      )
      if (Item === undefined) return { kind: 'unknown' }
      const lookup = Item as unknown as Lookup
      if (lookup.expiresAt !== undefined && Date.parse(lookup.expiresAt) <= Date.parse(now)) return { kind: 'expired' }
      // The note is for people; a request is not refused because it failed.
      await noteUse(lookup, hash, now).catch(() => undefined)
      return {
        kind: 'valid',
        businessProfileId: lookup.businessProfileId,
        keyId: lookup.keyId,
        scopes: lookup.scopes,
      }
    },
  }
}
