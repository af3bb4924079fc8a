/** What items weigh in a table and its indexes. */
import { DynamoDBClient, ListTablesCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { type TableName, tables } from '../../shared/aws/tables.ts'
import { type Item, itemBytes } from '../bench/dynamodb/values.ts'
import type { Place } from '../end-to-end/story.ts'
import { assumptions } from './assumptions.ts'

export interface StoredTables {
  items(name: TableName): Promise<readonly Item[]>
  close(): void
}

export async function storedTables({ aws }: Place): Promise<StoredTables> {
  const client = new DynamoDBClient({ region: aws.region, endpoint: aws.endpoint, credentials: aws.credentials })
  const { TableNames = [] } = await client.send(new ListTablesCommand({}))
  return {
    async items(name) {
      const table = TableNames.find((each) => each.toLowerCase().includes(`storage${name}table`))
      if (table === undefined) throw new Error(`no table of ${name} among ${TableNames.join(', ')}`)
      const { Items = [], LastEvaluatedKey } = await client.send(
        new ScanCommand({ TableName: table, ConsistentRead: true }),
      )
      if (LastEvaluatedKey !== undefined) throw new Error(`${name}: expected a table of one page`)
      return Items as unknown as Item[]
    },
    close: () => client.destroy(),
  }
}

export function averageBytes(items: readonly Item[]): number {
  if (items.length === 0) throw new Error('expected items to weigh')
  return Math.round(items.reduce((sum, item) => sum + itemBytes(item), 0) / items.length)
}

/** With a copy in each index that the item is in, and what DynamoDB stores beside each. */
export function bytesWithIndexes(name: TableName, items: readonly Item[]): number {
  const { partitionKey, sortKey, indexes } = tables[name]
  const only = (item: Item, names: readonly string[]): Item =>
    Object.fromEntries(Object.entries(item).filter(([attribute]) => names.includes(attribute)))
  const copies = items.flatMap((item) => [
    item,
    ...indexes
      .filter((index) => index.partitionKey.name in item && index.sortKey.name in item)
      .map((index) =>
        index.keysOnly
          ? only(item, [partitionKey.name, sortKey.name, index.partitionKey.name, index.sortKey.name])
          : item,
      ),
  ])
  return copies.reduce((sum, item) => sum + itemBytes(item) + assumptions.itemOverheadBytes, 0)
}
