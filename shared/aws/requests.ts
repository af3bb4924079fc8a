import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'

/** Where an adapter reads and writes. */
export interface StoreTable {
  readonly documents: DynamoDBDocumentClient
  /** Name of the table. */
  readonly table: string
}
