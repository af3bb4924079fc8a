/**
 * DynamoDB Local has one shard; on AWS shards end and have children. So the streams API is played here, as three shards:
 * two children of one parent.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { Running, StreamMappingSpec } from '../../../local/engine/contracts.ts'
import { type Checkpoints, createMemoryCheckpoints } from '../../../local/engine/mappings/checkpoints.ts'
import { startStreamMapping } from '../../../local/engine/mappings/stream-mapping.ts'
import { fakeFunctions, gate, type Handler, recordedLog } from '../gateway/fake-functions.ts'
import { credentials, region } from './emulators.ts'

interface PlayedShard {
  readonly parent?: string
  readonly closed: boolean
  /** Sequence numbers. */
  readonly records: readonly number[]
}

const shards: Readonly<Record<string, PlayedShard>> = {
  left: { parent: 'root', closed: false, records: [30, 32] },
  right: { parent: 'root', closed: false, records: [31, 33] },
  root: { parent: 'trimmed-long-ago', closed: true, records: [1, 2, 3] },
}

const calls: Readonly<Record<string, (input: Record<string, string>) => unknown>> = {
  // In two pages, children first.
  DescribeStream: ({ ExclusiveStartShardId }) => {
    const names = ExclusiveStartShardId === undefined ? ['left', 'right'] : ['root']
    return {
      StreamDescription: {
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        Shards: names.map((ShardId) => ({
          ShardId,
          ParentShardId: shards[ShardId]?.parent,
          SequenceNumberRange: {
            StartingSequenceNumber: '0',
            ...(shards[ShardId]?.closed && { EndingSequenceNumber: '9' }),
          },
        })),
        ...(ExclusiveStartShardId === undefined && { LastEvaluatedShardId: 'right' }),
      },
    }
  },
  GetShardIterator: ({ ShardId, SequenceNumber = '0' }) => ({ ShardIterator: `${ShardId} ${SequenceNumber}` }),
  // One record a page.
  GetRecords: ({ ShardIterator = '' }) => {
    const [shardId = '', after] = ShardIterator.split(' ')
    const shard = shards[shardId]
    const next = shard?.records.find((sequenceNumber) => sequenceNumber > Number(after))
    const ended = shard?.closed === true && next === undefined
    return {
      Records:
        next === undefined
          ? []
          : [
              {
                eventID: String(next),
                eventName: 'INSERT',
                dynamodb: { Keys: { id: { S: shardId } }, SequenceNumber: String(next) },
              },
            ],
      ...(ended ? {} : { NextShardIterator: `${shardId} ${next ?? after}` }),
    }
  },
}

let server: Server | undefined
let mapping: Running | undefined

afterEach(async () => {
  await mapping?.stop()
  server?.closeAllConnections()
  if (server !== undefined) await once(server.close(), 'close')
})

const start = async (handler: Handler, checkpoints: Checkpoints, more: Partial<StreamMappingSpec> = {}) => {
  server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const call = calls[String(req.headers['x-amz-target']).split('.').at(-1) ?? '']
    res.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
    res.end(JSON.stringify(call?.(JSON.parse(Buffer.concat(chunks).toString()))))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const functions = fakeFunctions({ work: handler })
  const spec: StreamMappingSpec = {
    kind: 'stream',
    mappingId: 'mapping1',
    functionArn: 'work',
    tableName: 'played',
    streamArn: 'arn:aws:dynamodb:eu-west-1:111111111111:table/played/stream/2026-01-01T00:00:00.000',
    eventSourceArn: 'arn:aws:dynamodb:eu-west-1:111111111111:table/played/stream/2026-01-01T00:00:00.000',
    startingPosition: 'TRIM_HORIZON',
    batchSize: 1,
    maxBatchingWindowSeconds: 0,
    maximumRetryAttempts: -1,
    maximumRecordAgeSeconds: -1,
    bisectBatchOnFunctionError: false,
    reportBatchItemFailures: false,
    parallelizationFactor: 1,
    filters: [],
    client: { region, credentials, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    ...more,
  }
  mapping = await startStreamMapping(spec, {
    invoker: functions,
    checkpoints,
    log: recordedLog(),
    retry: { retryDelayMs: 1, retryDelayMsMax: 5 },
  })
  return functions
}

interface PlayedEvent {
  readonly Records: readonly { readonly dynamodb: { readonly SequenceNumber: string } }[]
}
const numberOf = (event: unknown): number => Number((event as PlayedEvent).Records[0]?.dynamodb.SequenceNumber)

it('children begin only when every record of their parent is done', async () => {
  const checkpoints = createMemoryCheckpoints()
  const done = gate()
  const seen: number[] = []
  let failures = 3
  await start((event: PlayedEvent) => {
    const number = numberOf(event)
    if (number === 3 && failures-- > 0) throw new Error('not yet')
    seen.push(number)
    if (seen.length === 7) done.open()
  }, checkpoints)
  await done.opened
  await mapping?.stop()
  expect(seen.slice(0, 3)).toEqual([1, 2, 3])
  expect(seen.filter((number) => number % 2 === 0 && number >= 30)).toEqual([30, 32])
  expect(seen.filter((number) => number % 2 === 1 && number >= 30)).toEqual([31, 33])
  expect(await checkpoints.get('mapping1', 'root')).toEqual({ kind: 'end' })
  expect(await checkpoints.get('mapping1', 'left')).toEqual({ kind: 'after', sequenceNumber: '32' })
})

it('a shard that was done at an earlier start is not read again', async () => {
  const checkpoints = createMemoryCheckpoints()
  await checkpoints.put('mapping1', 'root', { kind: 'end' })
  await checkpoints.put('mapping1', 'left', { kind: 'after', sequenceNumber: '30' })
  const functions = await start(() => undefined, checkpoints)
  await functions.invoked(({ event }) => numberOf(event) === 32)
  await functions.invoked(({ event }) => numberOf(event) === 33)
  expect(functions.invocations.map(({ event }) => numberOf(event)).sort()).toEqual([31, 32, 33])
})

it('LATEST leaves closed shards out and begins open ones at their present end', async () => {
  const checkpoints = createMemoryCheckpoints()
  await start(() => undefined, checkpoints, { startingPosition: 'LATEST' })
  expect(await checkpoints.get('mapping1', 'root')).toEqual({ kind: 'end' })
  expect(await checkpoints.get('mapping1', 'left')).toEqual({ kind: 'after', sequenceNumber: '32' })
  expect(await checkpoints.get('mapping1', 'right')).toEqual({ kind: 'after', sequenceNumber: '33' })
})
