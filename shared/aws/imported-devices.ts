import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { ConnectionRow } from '../domain/stores/connections.ts'
import type { BusinessProfileId, ConnectionRef } from '../domain/words.ts'
import { profilePk } from './business-profiles.ts'
import { attributeNames, putIf } from './expressions.ts'
import { sha256Hex } from './ids.ts'
import { type StoreTable, transaction } from './requests.ts'

/** Which connection a device's folder was imported into, so that no device gets two. */
export interface ImportedDevices {
  /** `taken`: an import of the same device holds it. 4 WCU. */
  claim(
    identity: string,
    ref: ConnectionRef,
  ): Promise<{ readonly kind: 'claimed' } | { readonly kind: 'taken'; readonly by: ConnectionRef }>
  /** Only if it is still that connection's. */
  release(identity: string, ref: ConnectionRef): Promise<void>
}

const keyOf = (identity: string) => deviceKey(deviceNote(identity))
/** A claim is noted with its profile, too, so that the profile's erasure finds it: `device#<hash>` is one item's `pk` and the other's `sk`. */
const deviceNote = (identity: string): string => `device#${sha256Hex(identity)}`
export const isDeviceNote = (sk: string): boolean => sk.startsWith('device#')
export const deviceKey = (note: string) => ({ pk: note, sk: 'device' })
const noteKey = (businessProfileId: BusinessProfileId, identity: string) => ({
  pk: profilePk(businessProfileId),
  sk: deviceNote(identity),
})

export function importedDevices({ documents, table }: StoreTable): ImportedDevices {
  return {
    async claim(identity, { businessProfileId, connectionId }) {
      const item = { ...keyOf(identity), businessProfileId, connectionId }
      const put = await transaction(documents, [
        { Put: putIf(table, item, 'attribute_not_exists(#pk)') },
        { Put: { TableName: table, Item: { ...noteKey(businessProfileId, identity), connectionId } } },
      ])
      if (put.kind === 'landed') return { kind: 'claimed' }
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: keyOf(identity), ConsistentRead: true }),
      )
      const by = Item ?? put.refusals[0]?.item ?? {}
      return {
        kind: 'taken',
        by: { businessProfileId: String(by.businessProfileId), connectionId: String(by.connectionId) },
      }
    },

    async release(identity, { businessProfileId, connectionId }) {
      // A claim of earlier versions has no note.
      const condition = 'attribute_not_exists(#connectionId) OR #connectionId = :connectionId'
      const removal = (key: { readonly pk: string; readonly sk: string }) => ({
        Delete: {
          TableName: table,
          Key: key,
          ConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':connectionId': connectionId },
        },
      })
      await transaction(documents, [removal(keyOf(identity)), removal(noteKey(businessProfileId, identity))])
    },
  }
}

/** Every connection with this device's JID, of any business profile. Reads the whole table: for an operator, now and then. */
export async function connectionsOfDevice({ documents, table }: StoreTable, jid: string): Promise<ConnectionRow[]> {
  const found: ConnectionRow[] = []
  const filter = '#jid = :jid'
  let start: Record<string, unknown> | undefined
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: table,
        ConsistentRead: true,
        FilterExpression: filter,
        ExpressionAttributeNames: attributeNames(filter),
        ExpressionAttributeValues: { ':jid': jid },
        ExclusiveStartKey: start,
      }),
    )
    found.push(...((page.Items ?? []) as unknown as ConnectionRow[]))
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  return found
}
