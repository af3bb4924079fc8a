import { DeleteCommand, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { ConnectionRow } from '../domain/stores/connections.ts'
import type { ConnectionRef } from '../domain/words.ts'
import { attributeNames, putIf } from './expressions.ts'
import { sha256Hex } from './ids.ts'
import { conditional, type StoreTable } from './requests.ts'

/** Which connection a device's folder was imported into, so that no device gets two. */
export interface ImportedDevices {
  /** `taken`: an import of the same device holds it. 1 WCU. */
  claim(
    identity: string,
    ref: ConnectionRef,
  ): Promise<{ readonly kind: 'claimed' } | { readonly kind: 'taken'; readonly by: ConnectionRef }>
  /** Only if it is still that connection's. */
  release(identity: string, ref: ConnectionRef): Promise<void>
}

const keyOf = (identity: string) => ({ pk: `device#${sha256Hex(identity)}`, sk: 'device' })

export function importedDevices({ documents, table }: StoreTable): ImportedDevices {
  return {
    async claim(identity, { businessProfileId, connectionId }) {
      const item = { ...keyOf(identity), businessProfileId, connectionId }
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, item, 'attribute_not_exists(#pk)'))),
      )
      if (put.kind === 'landed') return { kind: 'claimed' }
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: keyOf(identity), ConsistentRead: true }),
      )
      const by = Item ?? put.item ?? {}
      return {
        kind: 'taken',
        by: { businessProfileId: String(by.businessProfileId), connectionId: String(by.connectionId) },
      }
    },

    async release(identity, { connectionId }) {
      const condition = '#connectionId = :connectionId'
      await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: keyOf(identity),
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
            ExpressionAttributeValues: { ':connectionId': connectionId },
          }),
        ),
      )
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
