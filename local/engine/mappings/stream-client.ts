/** The calls that a stream mapping makes, as the function's own role, and a reader that survives lost iterators. */
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
} from '@aws-sdk/client-dynamodb-streams'
import type { StreamMappingSpec } from '../contracts.ts'
import type { Checkpoint } from './checkpoints.ts'
import { isAfter, type StreamRecord, streamRecord } from './stream-records.ts'

export interface StreamShard {
  readonly shardId: string
  readonly parentShardId: string | undefined
  /** A closed shard gets no more records. */
  readonly closed: boolean
}

export interface StreamDescription {
  readonly shards: readonly StreamShard[]
  /** Name of the table's partition key. */
  readonly partitionKey: string
}

export interface ShardPage {
  readonly records: readonly StreamRecord[]
  /** The shard is closed and this was its last page. */
  readonly ended: boolean
}

export interface ShardReader {
  /** The next records, none twice. A lost iterator is replaced at the next call. */
  read(): Promise<ShardPage>
}

export interface MappedStream {
  describe(): Promise<StreamDescription>
  reader(shardId: string, from: Exclude<Checkpoint, { kind: 'end' }>): ShardReader
  close(): void
}

const pageRecordsMax = 1000

export function createMappedStream(spec: StreamMappingSpec): MappedStream {
  const client = new DynamoDBStreamsClient({ ...spec.client })
  const StreamArn = spec.streamArn

  const iterator = async (shardId: string, after: string | undefined): Promise<string | undefined> => {
    const position =
      after === undefined
        ? ({ ShardIteratorType: 'TRIM_HORIZON' } as const)
        : ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: after } as const)
    const answer = await client.send(new GetShardIteratorCommand({ StreamArn, ShardId: shardId, ...position }))
    return answer.ShardIterator
  }

  return {
    async describe() {
      const shards: StreamShard[] = []
      let partitionKey = ''
      let after: string | undefined
      do {
        const { StreamDescription } = await client.send(
          new DescribeStreamCommand({ StreamArn, ...(after === undefined ? {} : { ExclusiveStartShardId: after }) }),
        )
        shards.push(...(StreamDescription?.Shards ?? []).map(shardOf))
        partitionKey = StreamDescription?.KeySchema?.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName ?? ''
        after = StreamDescription?.LastEvaluatedShardId
      } while (after !== undefined)
      return { shards, partitionKey }
    },

    reader(shardId, from) {
      let last = from.kind === 'after' ? from.sequenceNumber : undefined
      let next: string | undefined
      /** The records after `last` are trimmed: the oldest that are left go on. */
      let fromHorizon = false

      const open = async (): Promise<string | undefined> => {
        if (last === undefined || fromHorizon) return iterator(shardId, undefined)
        try {
          return await iterator(shardId, last)
        } catch (error) {
          if (!isLost(error)) throw error
          return iterator(shardId, undefined)
        }
      }

      return {
        async read() {
          const opened = next === undefined
          next ??= await open()
          if (next === undefined) return { records: [], ended: true }
          try {
            const page = await client.send(new GetRecordsCommand({ ShardIterator: next, Limit: pageRecordsMax }))
            const known = last
            const records = (page.Records ?? [])
              .map((record) => streamRecord(record, spec.eventSourceArn))
              .filter(({ dynamodb }) => known === undefined || isAfter(dynamodb.SequenceNumber, known))
            last = records.at(-1)?.dynamodb.SequenceNumber ?? last
            next = page.NextShardIterator
            fromHorizon = false
            return { records, ended: next === undefined }
          } catch (error) {
            if (!isLost(error)) throw error
            next = undefined
            // A fresh iterator that is lost at once points into what was trimmed.
            fromHorizon = opened
            return { records: [], ended: false }
          }
        },
      }
    },

    close: () => client.destroy(),
  }
}

/** The iterator is too old, or what it points to was trimmed; DynamoDB Local says the latter now and then without reason. */
function isLost(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === 'TrimmedDataAccessException' || error.name === 'ExpiredIteratorException')
  )
}

function shardOf(shard: Shard): StreamShard {
  return {
    shardId: shard.ShardId ?? '',
    parentShardId: shard.ParentShardId,
    closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
  }
}
