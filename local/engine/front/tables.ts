/** Makes the template's tables in DynamoDB Local, and refuses to go on with a table of another shape. */
import {
  type AttributeDefinition,
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type KeySchemaElement,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import type { IndexSpec, TableSpec } from '../template/specs.ts'

/** Table name to the emulator's own stream ARN, for tables with a stream. */
export async function createTables(
  tables: readonly TableSpec[],
  client: DynamoDBClient,
): Promise<ReadonlyMap<string, string>> {
  const streams = await Promise.all(
    tables.map(async (table) => [table.name, await createTable(table, client)] as const),
  )
  return new Map(streams.flatMap(([name, stream]) => (stream === undefined ? [] : [[name, stream] as const])))
}

async function createTable(table: TableSpec, client: DynamoDBClient): Promise<string | undefined> {
  const existing = await client.send(new DescribeTableCommand({ TableName: table.name })).catch((error: unknown) => {
    if (error instanceof ResourceNotFoundException) return undefined
    throw error
  })
  const wanted = creation(table)
  if (existing?.Table !== undefined) {
    const difference = firstDifference(shapeOf(wanted), shapeOf(existing.Table))
    if (difference !== undefined) {
      throw new Error(
        `The table ${table.name} of the last run has other ${difference} than the template: start over with --fresh`,
      )
    }
    await setTimeToLive(table, client)
    return existing.Table.LatestStreamArn
  }
  const created = await client.send(new CreateTableCommand(wanted))
  await setTimeToLive(table, client)
  return created.TableDescription?.LatestStreamArn
}

async function setTimeToLive(table: TableSpec, client: DynamoDBClient): Promise<void> {
  const { TimeToLiveDescription: now } = await client.send(new DescribeTimeToLiveCommand({ TableName: table.name }))
  const enabled = now?.TimeToLiveStatus === 'ENABLED' ? now.AttributeName : undefined
  if (enabled === table.ttlAttribute) return
  const AttributeName = table.ttlAttribute ?? enabled
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: table.name,
      TimeToLiveSpecification: { Enabled: table.ttlAttribute !== undefined, AttributeName },
    }),
  )
}

function creation(table: TableSpec): CreateTableCommandInput {
  const index = (spec: IndexSpec) => ({
    IndexName: spec.name,
    KeySchema: keys(spec),
    Projection: {
      ProjectionType: spec.projection,
      ...(spec.nonKeyAttributes.length === 0 ? {} : { NonKeyAttributes: [...spec.nonKeyAttributes] }),
    },
  })
  const global = table.indexes.filter(({ kind }) => kind === 'global').map(index)
  const local = table.indexes.filter(({ kind }) => kind === 'local').map(index)
  return {
    TableName: table.name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: table.attributes.map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
    KeySchema: keys(table),
    ...(global.length === 0 ? {} : { GlobalSecondaryIndexes: global }),
    ...(local.length === 0 ? {} : { LocalSecondaryIndexes: local }),
    ...(table.streamView === undefined
      ? {}
      : { StreamSpecification: { StreamEnabled: true, StreamViewType: table.streamView } }),
  }
}

function keys({
  partitionKey,
  sortKey,
}: {
  readonly partitionKey: string
  readonly sortKey?: string
}): KeySchemaElement[] {
  const hash: KeySchemaElement = { AttributeName: partitionKey, KeyType: 'HASH' }
  return sortKey === undefined ? [hash] : [hash, { AttributeName: sortKey, KeyType: 'RANGE' }]
}

/** What must be equal, by the words that the error uses. */
function shapeOf(table: CreateTableCommandInput | TableDescription): Readonly<Record<string, string>> {
  const attributes = (list: readonly AttributeDefinition[] | undefined): string =>
    (list ?? [])
      .map(({ AttributeName, AttributeType }) => `${AttributeName} ${AttributeType}`)
      .sort()
      .join()
  const schema = (list: readonly KeySchemaElement[] | undefined): string =>
    (list ?? [])
      .map(({ AttributeName, KeyType }) => `${KeyType} ${AttributeName}`)
      .sort()
      .join()
  const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])]
  return {
    keys: schema(table.KeySchema),
    'key attributes': attributes(table.AttributeDefinitions),
    indexes: indexes
      .map(({ IndexName, KeySchema, Projection }) => {
        const extra = [...(Projection?.NonKeyAttributes ?? [])].sort().join()
        return `${IndexName} ${schema(KeySchema)} ${Projection?.ProjectionType} ${extra}`
      })
      .sort()
      .join(';'),
    'stream settings': table.StreamSpecification?.StreamViewType ?? 'none',
  }
}

function firstDifference(
  wanted: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): string | undefined {
  return Object.keys(wanted).find((name) => wanted[name] !== found[name])
}
