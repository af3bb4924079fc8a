/** DynamoDB's operations on tables in memory. One after the other, so that each is atomic, transactions too. */
import { holds, type Placeholders, projected, updated, ValidationError } from './expressions.ts'
import { type IndexSchema, type KeySchema, Table, writeUnits } from './table.ts'
import { equal, type Item, itemBytes, type Value } from './values.ts'

export interface Answer {
  readonly status: number
  readonly body: object
}

/** What was asked of one table by one operation. */
export interface Count {
  requests: number
  writeUnits: number
  readUnits: number
}

interface Write extends Placeholders {
  readonly TableName: string
  readonly Key?: Item
  readonly Item?: Item
  readonly UpdateExpression?: string
  readonly ConditionExpression?: string
  readonly ReturnValues?: string
  readonly ReturnValuesOnConditionCheckFailure?: string
}

interface Read extends Placeholders {
  readonly TableName: string
  readonly Key: Item
  readonly ConsistentRead?: boolean
  readonly ProjectionExpression?: string
}

interface Query extends Placeholders {
  readonly TableName: string
  readonly IndexName?: string
  readonly KeyConditionExpression: string
  readonly FilterExpression?: string
  readonly ProjectionExpression?: string
  readonly Select?: string
  readonly Limit?: number
  readonly ScanIndexForward?: boolean
  readonly ExclusiveStartKey?: Item
  readonly ConsistentRead?: boolean
}

type WriteKind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck'

interface Planned {
  readonly table: Table
  readonly name: string
  readonly key: Item
  readonly before: Item | undefined
  readonly after: Item | undefined
  /** Attributes that an update set. */
  readonly set: readonly string[]
  readonly lands: boolean
}

const readUnitBytes = 4_096
const pageBytes = 1_048_576
const error = (type: string, message: string, more: object = {}): Answer => ({
  status: 400,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message, ...more },
})

export class Operations {
  readonly #tables = new Map<string, Table>()
  readonly #counts = new Map<string, Map<string, Count>>()
  /** Of the request under way. */
  #operation = ''

  /** By operation and table. */
  get counts(): Readonly<Record<string, Readonly<Record<string, Count>>>> {
    return Object.fromEntries([...this.#counts].map(([name, tables]) => [name, Object.fromEntries(tables)]))
  }

  forgetCounts(): void {
    this.#counts.clear()
  }

  answer(operation: string, input: unknown): Answer {
    this.#operation = operation
    try {
      return this.#answer(operation, input)
    } catch (problem) {
      if (problem instanceof ValidationError) return error('ValidationException', problem.message)
      throw problem
    }
  }

  #answer(operation: string, input: unknown): Answer {
    switch (operation) {
      case 'CreateTable':
        return this.#createTable(input as CreateTable)
      case 'DeleteTable':
        this.#tables.delete((input as Read).TableName)
        return { status: 200, body: {} }
      case 'GetItem':
        return this.#getItem(input as Read)
      case 'BatchGetItem':
        return this.#batchGet(input as { RequestItems: Record<string, Omit<Read, 'Key'> & { Keys: Item[] }> })
      case 'PutItem':
        return this.#write('Put', input as Write)
      case 'UpdateItem':
        return this.#write('Update', input as Write)
      case 'DeleteItem':
        return this.#write('Delete', input as Write)
      case 'TransactWriteItems':
        return this.#transact(input as { TransactItems: Partial<Record<WriteKind, Write>>[] })
      case 'BatchWriteItem':
        return this.#batchWrite(input as { RequestItems: Record<string, BatchWrite[]> })
      case 'Query':
        return this.#query(input as Query)
      case 'Scan':
        return this.#scan(input as Omit<Query, 'KeyConditionExpression'>)
      default:
        return error('UnknownOperationException', operation)
    }
  }

  #createTable({ TableName, KeySchema: keys, GlobalSecondaryIndexes: indexes = [] }: CreateTable): Answer {
    const schemas = indexes.map(
      ({ IndexName, KeySchema, Projection }): IndexSchema => ({
        ...schemaOf(KeySchema),
        name: IndexName,
        keysOnly: Projection.ProjectionType === 'KEYS_ONLY',
      }),
    )
    this.#tables.set(TableName, new Table(schemaOf(keys), schemas))
    return { status: 200, body: { TableDescription: { TableName, TableStatus: 'ACTIVE' } } }
  }

  #getItem({ TableName, Key, ConsistentRead, ...rest }: Read): Answer {
    const item = this.#table(TableName).get(Key)
    this.#count(TableName, { readUnits: readUnits(item === undefined ? 0 : itemBytes(item), ConsistentRead) })
    return { status: 200, body: item === undefined ? {} : { Item: projected(rest.ProjectionExpression, item, rest) } }
  }

  #batchGet({ RequestItems }: { RequestItems: Record<string, Omit<Read, 'Key'> & { Keys: Item[] }> }): Answer {
    const responses: Record<string, Item[]> = {}
    for (const [name, { Keys, ConsistentRead, ...rest }] of Object.entries(RequestItems)) {
      const table = this.#table(name)
      const found = Keys.map((key) => table.get(key))
      const units = found.reduce((sum, item) => sum + readUnits(item ? itemBytes(item) : 0, ConsistentRead), 0)
      this.#count(name, { readUnits: units })
      responses[name] = found.flatMap((item) => (item ? [projected(rest.ProjectionExpression, item, rest)] : []))
    }
    return { status: 200, body: { Responses: responses, UnprocessedKeys: {} } }
  }

  #plan(kind: WriteKind, write: Write): Planned {
    const table = this.#table(write.TableName)
    const key = kind === 'Put' ? table.keyOf(write.Item as Item) : (write.Key as Item)
    const before = table.get(key)
    const lands = holds(write.ConditionExpression, before ?? {}, write)
    const planned = { table, name: write.TableName, key, before, lands }
    if (!lands || kind === 'ConditionCheck') return { ...planned, after: before, set: [] }
    if (kind === 'Delete') return { ...planned, after: undefined, set: [] }
    if (kind === 'Put') return { ...planned, after: write.Item, set: [] }
    const { item, set } = updated(write.UpdateExpression, before ?? key, write)
    return { ...planned, after: item, set }
  }

  #write(kind: WriteKind, write: Write): Answer {
    const planned = this.#plan(kind, write)
    const { before, after } = planned
    if (!planned.lands) {
      this.#count(planned.name, { writeUnits: writeUnits(before === undefined ? 0 : itemBytes(before)) })
      const shown = write.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before ? { Item: before } : {}
      return error('ConditionalCheckFailedException', 'The conditional request failed', shown)
    }
    this.#land(planned, 1)
    const attributes = returned(write.ReturnValues, before, after, planned.set)
    return { status: 200, body: attributes === undefined ? {} : { Attributes: attributes } }
  }

  #transact({ TransactItems }: { TransactItems: Partial<Record<WriteKind, Write>>[] }): Answer {
    const writes = TransactItems.map((item) => Object.entries(item)[0] as [WriteKind, Write])
    const plans = writes.map(([kind, write]) => this.#plan(kind, write))
    if (plans.some(({ lands }) => !lands)) {
      for (const { name, before } of plans) {
        this.#count(name, { writeUnits: 2 * writeUnits(before === undefined ? 0 : itemBytes(before)) }, 0)
      }
      this.#count(plans[0]?.name ?? '', {})
      const reasons = plans.map(({ lands, before }, i) => ({
        Code: lands ? 'None' : 'ConditionalCheckFailed',
        ...(!lands && before && writes[i]?.[1].ReturnValuesOnConditionCheckFailure === 'ALL_OLD'
          ? { Item: before }
          : {}),
      }))
      const codes = reasons.map(({ Code }) => Code).join(', ')
      return error('TransactionCanceledException', `Transaction cancelled, please refer [${codes}]`, {
        CancellationReasons: reasons,
      })
    }
    plans.forEach((planned, i) => {
      if (writes[i]?.[0] !== 'ConditionCheck') this.#land(planned, 2, i === 0 ? 1 : 0)
      else
        this.#count(
          planned.name,
          { writeUnits: 2 * writeUnits(planned.before ? itemBytes(planned.before) : 0) },
          i === 0 ? 1 : 0,
        )
    })
    return { status: 200, body: {} }
  }

  #batchWrite({ RequestItems }: { RequestItems: Record<string, BatchWrite[]> }): Answer {
    for (const [TableName, requests] of Object.entries(RequestItems)) {
      requests.forEach(({ PutRequest, DeleteRequest }, i) => {
        const planned = PutRequest
          ? this.#plan('Put', { TableName, Item: PutRequest.Item })
          : this.#plan('Delete', { TableName, Key: DeleteRequest?.Key as Item })
        this.#land(planned, 1, i === 0 ? 1 : 0)
      })
    }
    return { status: 200, body: { UnprocessedItems: {} } }
  }

  #land({ table, name, key, before, after }: Planned, factor: number, requests = 1): void {
    this.#count(name, { writeUnits: table.write(key, before, after, factor) }, requests)
  }

  #query(query: Query): Answer {
    const { TableName, IndexName, KeyConditionExpression, ScanIndexForward } = query
    const table = this.#table(TableName)
    const keys = table.keysOf(IndexName)
    const inPartition = table.query(IndexName, hashOf(KeyConditionExpression, keys, query))
    const matching = inPartition.filter((item) => holds(KeyConditionExpression, item, query))
    return this.#page(table, ScanIndexForward === false ? matching.toReversed() : matching, query)
  }

  #scan(scan: Omit<Query, 'KeyConditionExpression'>): Answer {
    const table = this.#table(scan.TableName)
    return this.#page(table, [...table.scan()], scan)
  }

  #page(table: Table, items: readonly Item[], query: Omit<Query, 'KeyConditionExpression'>): Answer {
    const { TableName, IndexName, ExclusiveStartKey: start, Limit = Number.POSITIVE_INFINITY, ConsistentRead } = query
    const after =
      start === undefined
        ? 0
        : items.findIndex((item) => Object.keys(start).every((name) => equal(item[name], start[name]))) + 1
    let bytes = 0
    const page: Item[] = []
    for (const item of items.slice(after)) {
      if (page.length >= Limit || bytes >= pageBytes) break
      page.push(item)
      bytes += itemBytes(item)
    }
    this.#count(TableName, { readUnits: readUnits(bytes, ConsistentRead) })
    const shown = page.filter((item) => holds(query.FilterExpression, item, query))
    const last = page.at(-1)
    const more = after + page.length < items.length || (last !== undefined && page.length === Limit)
    return {
      status: 200,
      body: {
        Count: shown.length,
        ScannedCount: page.length,
        ...(query.Select === 'COUNT'
          ? {}
          : { Items: shown.map((item) => projected(query.ProjectionExpression, item, query)) }),
        ...(more && last ? { LastEvaluatedKey: table.keyOf(last, IndexName) } : {}),
      },
    }
  }

  #table(name: string): Table {
    const table = this.#tables.get(name)
    if (table === undefined) throw new ValidationError(`there is no table ${name}`)
    return table
  }

  #count(table: string, units: Partial<Count>, requests = 1): void {
    const tables = this.#counts.get(this.#operation) ?? new Map<string, Count>()
    this.#counts.set(this.#operation, tables)
    const count = tables.get(table) ?? { requests: 0, writeUnits: 0, readUnits: 0 }
    tables.set(table, count)
    count.requests += requests
    count.writeUnits += units.writeUnits ?? 0
    count.readUnits += units.readUnits ?? 0
  }
}

interface CreateTable {
  readonly TableName: string
  readonly KeySchema: readonly KeyElement[]
  readonly GlobalSecondaryIndexes?: readonly {
    readonly IndexName: string
    readonly KeySchema: readonly KeyElement[]
    readonly Projection: { readonly ProjectionType: string }
  }[]
}
interface KeyElement {
  readonly AttributeName: string
  readonly KeyType: string
}
interface BatchWrite {
  readonly PutRequest?: { readonly Item: Item }
  readonly DeleteRequest?: { readonly Key: Item }
}

function schemaOf(elements: readonly KeyElement[]): KeySchema {
  const name = (type: string): string => elements.find(({ KeyType }) => KeyType === type)?.AttributeName ?? ''
  return { hash: name('HASH'), range: name('RANGE') }
}

/** The value that the key condition demands of the partition key. */
function hashOf(expression: string, { hash }: KeySchema, placeholders: Placeholders): Value {
  for (const [, name = '', value = ''] of expression.matchAll(/(#?\w+)\s*=\s*(:\w+)/g)) {
    if ((placeholders.ExpressionAttributeNames?.[name] ?? name) !== hash) continue
    const found = placeholders.ExpressionAttributeValues?.[value]
    if (found !== undefined) return found
  }
  throw new ValidationError(`${expression}: expected a condition on ${hash}`)
}

function returned(
  what: string | undefined,
  before: Item | undefined,
  after: Item | undefined,
  set: readonly string[],
): Item | undefined {
  if (what === 'ALL_OLD') return before
  if (what === 'ALL_NEW') return after
  if (what !== 'UPDATED_NEW' || after === undefined) return undefined
  return Object.fromEntries(set.flatMap((name) => (after[name] === undefined ? [] : [[name, after[name]]])))
}

const readUnits = (bytes: number, consistent: boolean | undefined): number =>
  Math.max(1, Math.ceil(bytes / readUnitBytes)) * (consistent ? 1 : 0.5)
