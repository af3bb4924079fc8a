import { setTimeout as delay } from 'node:timers/promises'
import { BatchWriteCommand } from '@aws-sdk/lib-dynamodb'
import type { Item, StoreTable } from './requests.ts'

/** DynamoDB's limit of a batch. */
const batchSize = 25
const triesMax = 8

/** Deletes items by their keys; one that is not there is fine. What a batch left out for load is asked for again. */
export async function deleteItems({ documents, table }: StoreTable, keys: readonly Item[]): Promise<void> {
  for (let at = 0; at < keys.length; at += batchSize) {
    let requests = keys.slice(at, at + batchSize).map((Key) => ({ DeleteRequest: { Key } }))
    for (let tries = 1; ; tries++) {
      const { UnprocessedItems } = await documents.send(new BatchWriteCommand({ RequestItems: { [table]: requests } }))
      requests = (UnprocessedItems?.[table] ?? []) as typeof requests
      if (requests.length === 0) break
      if (tries === triesMax) throw new Error(`${requests.length} items could not be deleted for load`)
      await delay(Math.random() * 50 * 2 ** tries)
    }
  }
}
