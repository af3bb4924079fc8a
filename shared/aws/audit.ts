import { randomBytes } from 'node:crypto'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import type { Page } from '../domain/stores/connections.ts'
import type { BusinessProfileId, IsoTime } from '../domain/words.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { attributeNames, putIf } from './expressions.ts'
import { conditional, queryPage, type StoreTable } from './requests.ts'

/** Something that was done, and by whom: a key or a person, by their ids. Never a body, a key, a token or a ticket. */
export interface AuditEntry {
  readonly auditId: string
  readonly at: IsoTime
  readonly by:
    | { readonly kind: 'key'; readonly keyId: string }
    | { readonly kind: 'person'; readonly sub: string }
    /** With the admin key, or a person with the role. */
    | { readonly kind: 'admin'; readonly sub?: string }
  readonly operationId: string
  /** Path of what it was done to, or of what it made. */
  readonly resource: string
  readonly status: number
  readonly requestId: string
  readonly sourceIp: string
}

/** Whose trail: a business profile's, or the service's own. */
export type AuditTrail = BusinessProfileId | 'service'

export interface Audit {
  /** Appends; nothing ever changes an entry. */
  append(trail: AuditTrail, entry: Omit<AuditEntry, 'auditId'>, keptDays: number): Promise<void>
  /** Newest first, consistent. */
  list(trail: AuditTrail, limit: number, next?: string): Promise<Page<AuditEntry>>
}

export const auditPk = (trail: AuditTrail): string => `audit#${trail}`

/** `append` 1 WCU per KB, `list` 1 RCU per 4 KB. */
export function audit({ documents, table }: StoreTable): Audit {
  return {
    async append(trail, entry, keptDays) {
      // Sorted by time; the random part tells apart what happens in one millisecond.
      const sk = `${entry.at}#${randomBytes(8).toString('hex')}`
      const expireAt = Math.floor(Date.parse(entry.at) / 1_000) + keptDays * 86_400
      await conditional(() =>
        documents.send(
          new PutCommand(putIf(table, { pk: auditPk(trail), sk, ...entry, expireAt }, 'attribute_not_exists(#pk)')),
        ),
      )
    },

    async list(trail, limit, next) {
      const start = next === undefined ? undefined : decodeCursor(next, ['sk'])
      const condition = '#pk = :pk'
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          ConsistentRead: true,
          ScanIndexForward: false,
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':pk': auditPk(trail) },
          // Whose trail it is comes from the caller's key, never from the cursor.
          ...(start === undefined ? {} : { ExclusiveStartKey: { pk: auditPk(trail), sk: start.sk } }),
        },
        limit,
      )
      const entries = items.map(({ pk: _pk, sk, expireAt: _expireAt, ...entry }) => ({
        ...(entry as unknown as Omit<AuditEntry, 'auditId'>),
        auditId: String(sk),
      }))
      const last = items.at(-1)
      return more && last !== undefined
        ? { items: entries, next: encodeCursor({ sk: String(last.sk) }) }
        : { items: entries }
    },
  }
}
