import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateTableCommand,
  DeleteItemCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb'
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Running, StreamMappingSpec } from '../../../local/engine/contracts.ts'
import {
  type Checkpoints,
  createMemoryCheckpoints,
  openFileCheckpoints,
} from '../../../local/engine/mappings/checkpoints.ts'
import { startStreamMapping } from '../../../local/engine/mappings/stream-mapping.ts'
import { fakeFunctions, gate, type Handler, recordedLog } from '../gateway/fake-functions.ts'
import { account, credentials, type RunningEndpoint, region, startDynamoDbLocal, startFront } from './emulators.ts'

interface DynamoDbEvent {
  readonly Records: readonly {
    readonly eventName: string
    readonly userIdentity?: unknown
    readonly dynamodb: {
      readonly Keys: { readonly id: { readonly S: string } }
      readonly SequenceNumber: string
      readonly NewImage?: Record<string, unknown>
    }
  }[]
}

let dynamo: RunningEndpoint
let front: RunningEndpoint
let client: DynamoDBClient
let queues: FauxqsServer
const running: Running[] = []

beforeAll(async () => {
  ;[dynamo, queues] = await Promise.all([
    startDynamoDbLocal(),
    startFauxqs({ port: 0, logger: false, host: '127.0.0.1', defaultRegion: region }),
  ])
  front = await startFront({ dynamoDb: dynamo.client.endpoint, sqs: `http://127.0.0.1:${queues.port}` })
  client = new DynamoDBClient({ ...dynamo.client })
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((mapping) => mapping.stop()))
})

afterAll(async () => {
  client?.destroy()
  await Promise.all([front?.stop(), dynamo?.stop(), queues?.stop()])
})

interface Table {
  readonly name: string
  readonly streamArn: string
  readonly eventSourceArn: string
}

const createTable = async (): Promise<Table> => {
  const name = `table-${randomUUID()}`
  const { TableDescription } = await client.send(
    new CreateTableCommand({
      TableName: name,
      KeySchema: [
        { AttributeName: 'id', KeyType: 'HASH' },
        { AttributeName: 'n', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'id', AttributeType: 'S' },
        { AttributeName: 'n', AttributeType: 'N' },
      ],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  )
  return {
    name,
    streamArn: TableDescription?.LatestStreamArn ?? '',
    eventSourceArn: `arn:aws:dynamodb:${region}:${account}:table/${name}/stream/2026-01-01T00:00:00.000`,
  }
}

const put = (table: Table, id: string, n = 0, more: PutItemCommand['input']['Item'] = {}) =>
  client.send(new PutItemCommand({ TableName: table.name, Item: { id: { S: id }, n: { N: String(n) }, ...more } }))

const start = async (
  table: Table,
  handler: Handler,
  more: Partial<StreamMappingSpec> = {},
  checkpoints: Checkpoints = createMemoryCheckpoints(),
) => {
  const functions = fakeFunctions({ work: handler })
  const log = recordedLog()
  const spec: StreamMappingSpec = {
    kind: 'stream',
    mappingId: 'mapping1',
    functionArn: 'work',
    tableName: table.name,
    streamArn: table.streamArn,
    eventSourceArn: table.eventSourceArn,
    startingPosition: 'TRIM_HORIZON',
    batchSize: 100,
    maxBatchingWindowSeconds: 0,
    maximumRetryAttempts: -1,
    maximumRecordAgeSeconds: -1,
    bisectBatchOnFunctionError: false,
    reportBatchItemFailures: false,
    parallelizationFactor: 1,
    filters: [],
    client: front.client,
    ...more,
  }
  const retry = { retryDelayMs: 5, retryDelayMsMax: 20 }
  const mapping = await startStreamMapping(spec, { invoker: functions, checkpoints, log, retry })
  running.push(mapping)
  return { functions, log, mapping }
}

const ids = (event: unknown): string[] => (event as DynamoDbEvent).Records.map(({ dynamodb }) => dynamodb.Keys.id.S)
const names = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `i${String(index).padStart(3, '0')}`)

const collector = (count: number) => {
  const seen: string[] = []
  const done = gate<string[]>()
  return {
    seen,
    all: done.opened,
    take(event: DynamoDbEvent): void {
      seen.push(...ids(event))
      if (seen.length >= count) done.open(seen)
    },
  }
}

/** The destination's queue, and what arrives in it. */
const failureQueue = () => {
  const name = `failures-${randomUUID()}`
  queues.createQueue(name, { region })
  const endpoint = `http://127.0.0.1:${queues.port}`
  const QueueUrl = `${endpoint}/000000000000/${name}`
  return {
    QueueUrl,
    async next(): Promise<Record<string, unknown>> {
      const sqs = new SQSClient({ region, endpoint, credentials })
      try {
        for (;;) {
          const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }))
          const body = Messages?.[0]?.Body
          if (body !== undefined) return JSON.parse(body)
        }
      } finally {
        sqs.destroy()
      }
    },
  }
}

describe('a stream mapping', () => {
  it('hands changes over as AWS does', async () => {
    const table = await createTable()
    const Key = { id: { S: 'a' }, n: { N: '1' } }
    await put(table, 'a', 1, {
      raw: { B: Buffer.from([1, 2]) },
      list: { L: [{ BS: [Buffer.from([3])] }, { NULL: true }] },
    })
    await client.send(
      new UpdateItemCommand({
        TableName: table.name,
        Key,
        UpdateExpression: 'SET #s = :s REMOVE #l',
        ExpressionAttributeNames: { '#s': 'status', '#l': 'list' },
        ExpressionAttributeValues: { ':s': { S: 'done' } },
      }),
    )
    await client.send(new DeleteItemCommand({ TableName: table.name, Key }))
    const { functions } = await start(table, () => undefined)
    const { event, source } = await functions.invoked(() => true)
    const common = {
      eventID: expect.any(String),
      eventVersion: expect.any(String),
      eventSource: 'aws:dynamodb',
      awsRegion: region,
      eventSourceARN: table.eventSourceArn,
    }
    const dynamodb = {
      ApproximateCreationDateTime: expect.any(Number),
      Keys: Key,
      SequenceNumber: expect.stringMatching(/^\d+$/),
      SizeBytes: expect.any(Number),
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    }
    const inserted = { ...Key, raw: { B: 'AQI=' }, list: { L: [{ BS: ['Aw=='] }, { NULL: true }] } }
    const modified = { ...Key, raw: { B: 'AQI=' }, status: { S: 'done' } }
    expect(event).toEqual({
      Records: [
        { ...common, eventName: 'INSERT', dynamodb: { ...dynamodb, NewImage: inserted } },
        { ...common, eventName: 'MODIFY', dynamodb: { ...dynamodb, OldImage: inserted, NewImage: modified } },
        { ...common, eventName: 'REMOVE', dynamodb: { ...dynamodb, OldImage: modified } },
      ],
    })
    expect(source).toEqual({ service: 'mapping', sourceArn: table.eventSourceArn })
  })

  it('shows a deletion by time to live as the REMOVE of the service', async () => {
    const table = await createTable()
    await client.send(
      new UpdateTimeToLiveCommand({
        TableName: table.name,
        TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' },
      }),
    )
    await put(table, 'old', 1, { expires: { N: String(Math.floor(Date.now() / 1000) - 5) } })
    const { functions } = await start(table, () => undefined)
    const isRemoval = (event: unknown) =>
      (event as DynamoDbEvent).Records.some(({ eventName }) => eventName !== 'INSERT')
    const { event } = await functions.invoked((invocation) => isRemoval(invocation.event))
    expect((event as DynamoDbEvent).Records.at(-1)).toMatchObject({
      eventName: 'REMOVE',
      userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' },
      dynamodb: { Keys: { id: { S: 'old' } } },
    })
  })

  it('keeps the order and the batch size', async () => {
    const table = await createTable()
    for (const id of names(25)) await put(table, id)
    const seen = collector(25)
    const { functions } = await start(table, (event: DynamoDbEvent) => seen.take(event), { batchSize: 10 })
    expect(await seen.all).toEqual(names(25))
    expect(functions.invocations.map(({ event }) => ids(event).length)).toEqual([10, 10, 5])
  })

  it('gathers a batch within its window, and goes at once when it is full', async () => {
    const table = await createTable()
    const { functions } = await start(table, () => undefined, { batchSize: 5, maxBatchingWindowSeconds: 50 })
    for (const id of names(5)) await put(table, id)
    const { event } = await functions.invoked(() => true)
    expect(ids(event)).toEqual(names(5))
  })

  it('passes only what its filters match, and does not repeat the rest', async () => {
    const table = await createTable()
    const checkpoints = createMemoryCheckpoints()
    const filters = [{ eventName: ['INSERT'], dynamodb: { NewImage: { kind: { S: ['take'] } } } }]
    await put(table, 'a', 0, { kind: { S: 'skip' } })
    await put(table, 'b', 0, { kind: { S: 'take' } })
    const { functions, mapping } = await start(table, () => undefined, { filters }, checkpoints)
    expect(ids((await functions.invoked(() => true)).event)).toEqual(['b'])
    await mapping.stop()
    await put(table, 'c', 0)
    const second = await start(table, () => undefined, {}, checkpoints)
    expect(ids((await second.functions.invoked(() => true)).event)).toEqual(['c'])
  })

  it('retries a failed batch, and nothing overtakes it', async () => {
    const table = await createTable()
    let failures = 2
    const seen = collector(4)
    await start(
      table,
      (event: DynamoDbEvent) => {
        if (failures-- > 0) throw new Error('not yet')
        seen.take(event)
      },
      { batchSize: 2 },
    )
    for (const id of names(4)) await put(table, id)
    expect(await seen.all).toEqual(names(4))
  })

  it('gives a batch up after its attempts, tells the destination, and goes on', async () => {
    const table = await createTable()
    const failures = failureQueue()
    const after = gate()
    for (const id of ['bad', 'good']) await put(table, id)
    const { functions } = await start(
      table,
      (event: DynamoDbEvent) => {
        if (ids(event).includes('bad')) throw new Error('never')
        after.open()
      },
      { batchSize: 1, maximumRetryAttempts: 2, onFailureQueueUrl: failures.QueueUrl },
    )
    await after.opened
    expect(functions.invocations.filter(({ event }) => ids(event).includes('bad'))).toHaveLength(3)
    const bad = (functions.invocations[0]?.event as DynamoDbEvent).Records[0]?.dynamodb.SequenceNumber
    expect(await failures.next()).toEqual({
      requestContext: {
        requestId: expect.any(String),
        functionArn: 'work',
        condition: 'RetryAttemptsExhausted',
        approximateInvokeCount: 3,
      },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      version: '1.0',
      timestamp: expect.any(String),
      DDBStreamBatchInfo: {
        shardId: expect.stringMatching(/^shardId-/),
        startSequenceNumber: bad,
        endSequenceNumber: bad,
        approximateArrivalOfFirstRecord: expect.stringMatching(/^\d{4}-.+:\d\dZ$/),
        approximateArrivalOfLastRecord: expect.any(String),
        batchSize: 1,
        streamArn: table.eventSourceArn,
      },
    })
  })

  it('bisects a failing batch down to the record that fails', async () => {
    const table = await createTable()
    const failures = failureQueue()
    for (const id of names(8)) await put(table, id)
    const seen = collector(7)
    await start(
      table,
      (event: DynamoDbEvent) => {
        if (ids(event).includes('i005')) throw new Error('poison')
        seen.take(event)
      },
      { bisectBatchOnFunctionError: true, maximumRetryAttempts: 0, onFailureQueueUrl: failures.QueueUrl },
    )
    expect(await seen.all).toEqual(names(8).filter((id) => id !== 'i005'))
    expect(await failures.next()).toMatchObject({ DDBStreamBatchInfo: { batchSize: 1 } })
  })

  it('goes on from the lowest reported failure', async () => {
    const table = await createTable()
    for (const id of names(5)) await put(table, id)
    const second = gate()
    const { functions } = await start(
      table,
      (event: DynamoDbEvent) => {
        const failed = event.Records.filter(({ dynamodb }) => ['i002', 'i003'].includes(dynamodb.Keys.id.S)).reverse()
        if (!ids(event).includes('i000')) {
          second.open()
          return { batchItemFailures: [] }
        }
        return { batchItemFailures: failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb.SequenceNumber })) }
      },
      { reportBatchItemFailures: true },
    )
    await second.opened
    expect(functions.invocations.map(({ event }) => ids(event))).toEqual([names(5), ['i002', 'i003', 'i004']])
  })

  it('discards records that grew too old while they failed', async () => {
    const table = await createTable()
    const failures = failureQueue()
    await put(table, 'a')
    const { log } = await start(
      table,
      () => {
        throw new Error('always')
      },
      { maximumRecordAgeSeconds: 1, onFailureQueueUrl: failures.QueueUrl },
    )
    expect(await failures.next()).toMatchObject({ requestContext: { condition: 'RecordAgeExceeded' } })
    expect(log.lines.join('\n')).toContain('1 stream records given up: RecordAgeExceeded')
  })

  it('runs lanes side by side and keeps the order of each partition key', async () => {
    const table = await createTable()
    const keys = names(12)
    const seen = new Map<string, number[]>(keys.map((key) => [key, []]))
    let now = 0
    let most = 0
    let count = 0
    const done = gate()
    for (const n of [0, 1, 2]) for (const key of keys) await put(table, key, n)
    await start(
      table,
      async (event: DynamoDbEvent) => {
        now += 1
        most = Math.max(most, now)
        await new Promise((resolve) => setTimeout(resolve, 2))
        now -= 1
        for (const { dynamodb } of event.Records) {
          const { id, n } = dynamodb.Keys as unknown as { id: { S: string }; n: { N: string } }
          seen.get(id.S)?.push(Number(n.N))
          count += 1
        }
        if (count === 36) done.open()
      },
      { parallelizationFactor: 4, batchSize: 3 },
    )
    await done.opened
    expect([...seen.values()]).toEqual(keys.map(() => [0, 1, 2]))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
  })
})

describe('the place in the stream', () => {
  it('is kept over a stop in the middle: nothing is lost and nothing done comes again', async () => {
    const table = await createTable()
    const checkpoints = createMemoryCheckpoints()
    for (const id of names(30)) await put(table, id)
    const seen: string[] = []
    while (seen.length < 30) {
      const began = gate()
      const { mapping } = await start(
        table,
        async (event: DynamoDbEvent) => {
          began.open()
          seen.push(...ids(event))
        },
        { batchSize: 4 },
        checkpoints,
      )
      await began.opened
      await mapping.stop()
    }
    expect(seen).toEqual(names(30))
  })

  it('does not pass a batch that fails when the mapping stops', async () => {
    const table = await createTable()
    const checkpoints = createMemoryCheckpoints()
    await put(table, 'a')
    const first = await start(
      table,
      () => {
        throw new Error('down')
      },
      {},
      checkpoints,
    )
    await first.functions.invoked(() => true)
    await first.mapping.stop()
    const second = await start(table, () => undefined, {}, checkpoints)
    expect(ids((await second.functions.invoked(() => true)).event)).toEqual(['a'])
  })

  it('is kept in a file across processes', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'checkpoints-'))
    const path = join(directory, 'deep', 'checkpoints.json')
    try {
      const table = await createTable()
      await put(table, 'a')
      const before = await openFileCheckpoints(path)
      const first = await start(table, () => undefined, {}, before)
      await first.functions.invoked(() => true)
      await first.mapping.stop()
      await before.stop()
      await put(table, 'b')
      const after = await openFileCheckpoints(path)
      const second = await start(table, () => undefined, {}, after)
      expect(ids((await second.functions.invoked(() => true)).event)).toEqual(['b'])
      await second.mapping.stop()
      await after.stop()
      expect(await readFile(path, 'utf8')).toContain('mapping1 shardId-')

      await writeFile(path, '{"mapping1 shardId-1":{"kind":"somewhere"}}')
      await expect(openFileCheckpoints(path)).rejects.toThrow('expected a checkpoint')
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('LATEST begins with what is written after the mapping was made, also when that is between two starts', async () => {
    const table = await createTable()
    const checkpoints = createMemoryCheckpoints()
    const latest = { startingPosition: 'LATEST' } as const
    await put(table, 'before')
    const first = await start(table, () => undefined, latest, checkpoints)
    await first.mapping.stop()
    await put(table, 'between')
    const { functions } = await start(table, () => undefined, latest, checkpoints)
    expect(ids((await functions.invoked(() => true)).event)).toEqual(['between'])
  })

  it.each([
    'TrimmedDataAccessException',
    'ExpiredIteratorException',
  ])('survives %s: nothing is lost and nothing comes twice', async (exception) => {
    const table = await createTable()
    let calls = 0
    // Every second read fails, the first one of all included, and so does going on after a record now and then.
    const faulty = await startFront({
      dynamoDb: dynamo.client.endpoint,
      sqs: '',
      fault: (target) => {
        if (!target.endsWith('.GetRecords') && !target.endsWith('.GetShardIterator')) return undefined
        calls += 1
        return calls % 3 === 2 ? exception : undefined
      },
    })
    try {
      const seen = collector(40)
      const { mapping } = await start(table, (event: DynamoDbEvent) => seen.take(event), { client: faulty.client })
      for (const id of names(40)) await put(table, id)
      await seen.all
      await mapping.stop()
      expect(seen.seen).toEqual(names(40))
      expect(calls).toBeGreaterThan(6)
    } finally {
      await faulty.stop()
    }
  })

  it('is no start at all when the stream does not exist', async () => {
    const table = await createTable()
    const streamArn = table.streamArn.replace(/[^/]+$/, '2020-01-01T00:00:00.000')
    await expect(start({ ...table, streamArn }, () => undefined)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })
})

describe('the way from write to handler', () => {
  it('takes some tens of milliseconds', async () => {
    const table = await createTable()
    const delays: number[] = []
    let arrived = gate<number>()
    await start(table, () => arrived.open(performance.now()))
    for (const id of names(40)) {
      arrived = gate<number>()
      await put(table, id)
      const written = performance.now()
      delays.push((await arrived.opened) - written)
    }
    const median = delays.sort((a, b) => a - b)[20] ?? Number.NaN
    console.log(`write to handler: median ${median.toFixed(1)} ms, longest ${delays.at(-1)?.toFixed(1)} ms`)
    expect(median).toBeLessThan(100)
  })
})
