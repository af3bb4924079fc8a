import { randomBytes } from 'node:crypto'
import { DeleteCommand, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { CallLimits, Retention } from '../domain/tenancy.ts'
import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import { profileKey, profileOf, profilePk } from './business-profiles.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { newApiKeyId, sha256Hex } from './ids.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction } from './requests.ts'

export interface ApiKey {
  readonly businessProfileId: BusinessProfileId
  readonly keyId: string
  readonly label: string
  readonly scopes: readonly string[]
  readonly createdAt: IsoTime
  readonly expiresAt?: IsoTime
  readonly revokedAt?: IsoTime
  /** The key that took its place. */
  readonly rotatedTo?: string
  /** To the minute. */
  readonly lastUsedAt?: IsoTime
}

/** What calls themselves write: entries of the audit log, and media. */
type RetentionOfCalls = Pick<Retention, 'auditDays' | 'mediaDays'>

export type Authentication =
  | {
      readonly kind: 'valid'
      readonly businessProfileId: BusinessProfileId
      readonly keyId: string
      readonly scopes: readonly string[]
      readonly limits: CallLimits
      readonly retention: RetentionOfCalls
      readonly expiresAt?: IsoTime
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

export type CreateKeyOutcome =
  /** `secret` is the whole key, `hf_<keyId>_<secret>`; it is shown once, only its SHA-256 is stored. */
  { readonly kind: 'created'; readonly key: ApiKey; readonly secret: string } | { readonly kind: 'not_found' }

export interface ApiKeys {
  /** `not_found` where there is no such business profile, or it is being erased. */
  createApiKey(key: NewApiKey, now: IsoTime): Promise<CreateKeyOutcome>
  getApiKey(businessProfileId: BusinessProfileId, keyId: string): Promise<ApiKey | undefined>
  listApiKeys(businessProfileId: BusinessProfileId): Promise<readonly ApiKey[]>
  /**
   * A new key with the same label and scopes; the old one ends at `oldEndsAt`, or when it would have ended anyway.
   * `not_active`: it is revoked or has ended.
   */
  rotateApiKey(
    businessProfileId: BusinessProfileId,
    keyId: string,
    oldEndsAt: IsoTime,
    now: IsoTime,
  ): Promise<CreateKeyOutcome | { readonly kind: 'not_active' }>
  /** From the next look on the key is unknown. Revoking twice is the same as once. */
  revokeApiKey(
    businessProfileId: BusinessProfileId,
    keyId: string,
    now: IsoTime,
  ): Promise<{ readonly kind: 'revoked' | 'not_found' }>
  /** Gives every key of the profile what its calls need of the profile's settings. */
  applySettings(
    businessProfileId: BusinessProfileId,
    settings: { readonly limits: CallLimits; readonly retention: RetentionOfCalls },
  ): Promise<void>
  /** For a profile's erasure: keys and what leads to them. */
  removeApiKeys(businessProfileId: BusinessProfileId): Promise<number>
  /** Consistent. Notes the use, at most once a minute per key. */
  authenticate(presented: string, now: IsoTime): Promise<Authentication>
}

const keyKey = (businessProfileId: BusinessProfileId, keyId: string) => ({
  pk: profilePk(businessProfileId),
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
  readonly limits?: CallLimits
  readonly auditDays?: number
  readonly mediaDays?: number
  readonly expiresAt?: IsoTime
  /** Kept here, where every request reads it anyway, so that noting the use mostly costs nothing. */
  readonly lastUsedAt?: IsoTime
}

const keyOf = (item: Item): StoredKey & Pick<ApiKey, 'lastUsedAt'> => {
  const { pk: _pk, sk: _sk, ...row } = item
  return row as unknown as StoredKey
}

const noteEveryMs = 60_000

/**
 * API keys. `createApiKey` 1 RCU and 6 WCU (check and two items, doubled), `rotateApiKey` 2 RCU and 10 WCU, `authenticate` 1 RCU and
 * at most one WCU a minute, `revokeApiKey` 2 RCU and 4 WCU, `listApiKeys` 1 RCU per 4 KB and 1 per key.
 */
export function apiKeys({ documents, table }: StoreTable): ApiKeys {
  async function noteUse(lookup: Lookup, hash: string, now: IsoTime): Promise<void> {
    if (lookup.lastUsedAt !== undefined && Date.parse(now) - Date.parse(lookup.lastUsedAt) < noteEveryMs) return
    // A key that was revoked meanwhile is not brought back.
    await conditional(() =>
      documents.send(
        new UpdateCommand(
          update(table, lookupKey(hash), { set: { lastUsedAt: now }, condition: 'attribute_exists(#pk)' }),
        ),
      ),
    )
  }

  async function read(key: Readonly<Record<string, string>>): Promise<Item | undefined> {
    const { Item } = await documents.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }))
    return Item
  }

  const lookupOf = async ({ hash }: StoredKey) => (await read(lookupKey(hash))) as Lookup | undefined

  async function storedKey(businessProfileId: BusinessProfileId, keyId: string) {
    const item = await read(keyKey(businessProfileId, keyId))
    return item === undefined ? undefined : keyOf(item)
  }

  async function storedKeys(businessProfileId: BusinessProfileId) {
    const condition = '#pk = :pk AND begins_with(#sk, :prefix)'
    const items = await queryAll(documents, {
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: condition,
      ExpressionAttributeNames: attributeNames(condition),
      ExpressionAttributeValues: { ':pk': profilePk(businessProfileId), ':prefix': 'key#' },
    })
    return items.map(keyOf)
  }

  async function shown(stored: StoredKey & Pick<ApiKey, 'lastUsedAt'>): Promise<ApiKey> {
    const { hash: _hash, ...key } = stored
    const lookup = key.revokedAt === undefined ? await lookupOf(stored) : undefined
    const lastUsedAt = lookup?.lastUsedAt ?? key.lastUsedAt
    return lastUsedAt === undefined ? key : { ...key, lastUsedAt }
  }

  /** Writes key and lookup, and with them what happens to another key. */
  async function put(
    { businessProfileId, label, scopes, expiresAt }: NewApiKey,
    now: IsoTime,
    others: (keyId: string) => readonly object[] = () => [],
  ): Promise<CreateKeyOutcome | { readonly kind: 'not_active' }> {
    const item = await read(profileKey(businessProfileId))
    if (item === undefined || profileOf(item).state === 'erasing') return { kind: 'not_found' }
    const { limits, retention } = profileOf(item)
    const keyId = newApiKeyId()
    const secret = `hf_${keyId}_${randomBytes(32).toString('base64url')}`
    const hash = sha256Hex(secret)
    const end = expiresAt === undefined ? {} : { expiresAt }
    const key: ApiKey = { businessProfileId, keyId, label, scopes, createdAt: now, ...end }
    const condition = '#state = :active'
    const { auditDays, mediaDays } = retention
    const lookup = { ...lookupKey(hash), businessProfileId, keyId, scopes, limits, auditDays, mediaDays, ...end }
    const created = await transaction(documents, [
      {
        ConditionCheck: {
          TableName: table,
          Key: profileKey(businessProfileId),
          ConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':active': 'active' },
        },
      },
      { Put: putIf(table, { ...key, hash, ...keyKey(businessProfileId, keyId) }, 'attribute_not_exists(#pk)') },
      { Put: putIf(table, lookup, 'attribute_not_exists(#pk)') },
      ...others(keyId),
    ])
    if (created.kind === 'landed') return { kind: 'created', key, secret }
    if (created.refusals[0]?.refused === true) return { kind: 'not_found' }
    if (created.refusals.slice(3).some(({ refused }) => refused)) return { kind: 'not_active' }
    throw new Error(`API key ${keyId}: a key with this id exists already`)
  }

  return {
    async createApiKey(key, now) {
      const outcome = await put(key, now)
      return outcome.kind === 'not_active' ? { kind: 'not_found' } : outcome
    },

    async getApiKey(businessProfileId, keyId) {
      const stored = await storedKey(businessProfileId, keyId)
      return stored === undefined ? undefined : shown(stored)
    },

    async listApiKeys(businessProfileId) {
      return Promise.all((await storedKeys(businessProfileId)).map(shown))
    },

    async rotateApiKey(businessProfileId, keyId, oldEndsAt, now) {
      const old = await storedKey(businessProfileId, keyId)
      if (old === undefined) return { kind: 'not_found' }
      if (old.revokedAt !== undefined || old.rotatedTo !== undefined) return { kind: 'not_active' }
      if (old.expiresAt !== undefined && old.expiresAt <= now) return { kind: 'not_active' }
      const expiresAt = old.expiresAt !== undefined && old.expiresAt < oldEndsAt ? old.expiresAt : oldEndsAt
      const { label, scopes } = old
      return put({ businessProfileId, label, scopes }, now, (rotatedTo) => [
        {
          Update: update(table, keyKey(businessProfileId, keyId), {
            set: { rotatedTo, expiresAt },
            condition:
              'attribute_exists(#pk) AND attribute_not_exists(#revokedAt) AND attribute_not_exists(#rotatedTo)',
          }),
        },
        {
          Update: update(table, lookupKey(old.hash), { set: { expiresAt }, condition: 'attribute_exists(#pk)' }),
        },
      ])
    },

    async revokeApiKey(businessProfileId, keyId, now) {
      const key = await storedKey(businessProfileId, keyId)
      if (key === undefined) return { kind: 'not_found' }
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

    async applySettings(businessProfileId, { limits, retention: { auditDays, mediaDays } }) {
      const active = (await storedKeys(businessProfileId)).filter(({ revokedAt }) => revokedAt === undefined)
      await Promise.all(
        active.map(({ hash }) =>
          conditional(() =>
            documents.send(
              new UpdateCommand(
                update(table, lookupKey(hash), {
                  set: { limits, auditDays: auditDays ?? null, mediaDays: mediaDays ?? null },
                  condition: 'attribute_exists(#pk)',
                }),
              ),
            ),
          ),
        ),
      )
    },

    async removeApiKeys(businessProfileId) {
      const keys = await storedKeys(businessProfileId)
      for (const { hash, keyId } of keys) {
        // What leads to the key goes first: should the second fail, the key is refused and is found again.
        await documents.send(new DeleteCommand({ TableName: table, Key: lookupKey(hash) }))
        await documents.send(new DeleteCommand({ TableName: table, Key: keyKey(businessProfileId, keyId) }))
      }
      return keys.length
    },

    async authenticate(presented, now) {
      if (!keyFormat.test(presented)) return { kind: 'unknown' }
      const hash = sha256Hex(presented)
      const item = await read(lookupKey(hash))
      if (item === undefined) return { kind: 'unknown' }
      const lookup = item as unknown as Lookup
      const { businessProfileId, keyId, scopes, limits = {}, auditDays, mediaDays, expiresAt } = lookup
      if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(now)) return { kind: 'expired' }
      // The note is for people; a request is not refused because it failed.
      await noteUse(lookup, hash, now).catch(() => undefined)
      return {
        kind: 'valid',
        businessProfileId,
        keyId,
        scopes,
        limits,
        retention: {
          ...(auditDays === undefined ? {} : { auditDays }),
          ...(mediaDays === undefined ? {} : { mediaDays }),
        },
        ...(expiresAt === undefined ? {} : { expiresAt }),
      }
    },
  }
}
