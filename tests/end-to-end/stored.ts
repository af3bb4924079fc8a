import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { RunningPlace } from './place.ts'

export interface StoredItem {
  /** As the template names it, e.g. `Media`. */
  readonly table: string
  readonly item: Readonly<Record<string, unknown>>
}

/** Everything that the product has stored, as somebody with the keys to the account sees it. */
export class Stored {
  readonly #documents: DynamoDBDocumentClient
  readonly #objects: S3Client
  readonly #buckets: readonly string[]
  /** Physical names by those of the template. */
  readonly #tables: ReadonlyMap<string, string>

  constructor({ local, aws }: Pick<RunningPlace, 'local' | 'aws'>) {
    this.#documents = DynamoDBDocumentClient.from(new DynamoDBClient(aws))
    this.#objects = new S3Client({ ...aws, forcePathStyle: true })
    const outputs = (pattern: RegExp) =>
      Object.entries(local.outputs).flatMap(([name, value]) => {
        const [, id] = pattern.exec(name) ?? []
        return id === undefined ? [] : [[id, value] as const]
      })
    this.#tables = new Map(outputs(/RefStorage(\w+?)Table/))
    this.#buckets = outputs(/RefStorage(\w+?)Bucket/).map(([, bucket]) => bucket)
  }

  /** Of all tables; that no table is missing is checked. */
  async items(matches: (found: StoredItem) => boolean): Promise<readonly StoredItem[]> {
    const { TableNames = [] } = await this.#documents.send(new ListTablesCommand({}))
    const known = new Set(this.#tables.values())
    const strange = TableNames.filter((name) => !known.has(name))
    if (strange.length > 0) throw new Error(`tables that no other stack uses: ${strange}`)
    const found: StoredItem[] = []
    for (const [table, TableName] of this.#tables) {
      let start: Record<string, unknown> | undefined
      do {
        const page = await this.#documents.send(
          new ScanCommand({ TableName, ConsistentRead: true, ExclusiveStartKey: start }),
        )
        found.push(...(page.Items ?? []).map((item) => ({ table, item })).filter(matches))
        start = page.LastEvaluatedKey
      } while (start !== undefined)
    }
    return found
  }

  /** Keys in all buckets that hold data. */
  async objects(): Promise<readonly string[]> {
    const keys: string[] = []
    for (const Bucket of this.#buckets) {
      let next: string | undefined
      do {
        const page = await this.#objects.send(new ListObjectsV2Command({ Bucket, ContinuationToken: next }))
        keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
        next = page.NextContinuationToken
      } while (next !== undefined)
    }
    return keys
  }

  /** As if the time of an item were over. */
  async end(table: string, key: Readonly<Record<string, string>>): Promise<void> {
    await this.#documents.send(
      new UpdateCommand({
        TableName: this.#tables.get(table),
        Key: { ...key },
        UpdateExpression: 'SET expireAt = :past',
        ExpressionAttributeValues: { ':past': Math.floor(Date.now() / 1_000) - 1 },
      }),
    )
  }

  close(): void {
    this.#documents.destroy()
    this.#objects.destroy()
  }
}
