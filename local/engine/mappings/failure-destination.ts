/** Where a stream mapping tells of records that it gave up: an SQS message with where they are, not what they hold. */
import { randomUUID } from 'node:crypto'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { EngineLog, InvokeResult, StreamMappingSpec } from '../contracts.ts'
import type { StreamRecord } from './stream-records.ts'

export type FailureCondition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded'

export interface GivenUpBatch {
  readonly shardId: string
  readonly records: readonly StreamRecord[]
  readonly condition: FailureCondition
  readonly invokeCount: number
  /** The last invocation's; `undefined` when there was none. */
  readonly result: InvokeResult | undefined
}

export interface FailureDestination {
  /** Resolves when the message is sent or could not be; never rejects, since the stream must go on. */
  send(batch: GivenUpBatch): Promise<void>
  close(): void
}

export function createFailureDestination(spec: StreamMappingSpec, log: EngineLog): FailureDestination {
  const { onFailureQueueUrl } = spec
  if (onFailureQueueUrl === undefined) return { send: async () => undefined, close: () => undefined }
  const client = new SQSClient({ ...spec.client })
  return {
    async send(batch) {
      try {
        await client.send(
          new SendMessageCommand({
            QueueUrl: onFailureQueueUrl,
            MessageBody: JSON.stringify(failureMessage(spec, batch, randomUUID(), new Date())),
          }),
        )
      } catch (error) {
        log.error(`mapping ${spec.tableName}`, `the failure destination did not take the batch: ${String(error)}`)
      }
    },
    close: () => client.destroy(),
  }
}

/** The body as Lambda writes it (Lambda developer guide, "Retain discarded records in DynamoDB streams"). */
export function failureMessage(
  spec: Pick<StreamMappingSpec, 'functionArn' | 'eventSourceArn'>,
  batch: GivenUpBatch,
  requestId: string,
  now: Date,
): Readonly<Record<string, unknown>> {
  const first = batch.records.at(0)?.dynamodb
  const last = batch.records.at(-1)?.dynamodb
  const functionError = batch.result?.kind === 'error' ? { functionError: 'Unhandled' } : {}
  return {
    requestContext: {
      requestId,
      functionArn: spec.functionArn,
      condition: batch.condition,
      approximateInvokeCount: batch.invokeCount,
    },
    responseContext:
      batch.result === undefined ? null : { statusCode: 200, executedVersion: '$LATEST', ...functionError },
    version: '1.0',
    timestamp: now.toISOString(),
    DDBStreamBatchInfo: {
      shardId: batch.shardId,
      startSequenceNumber: first?.SequenceNumber,
      endSequenceNumber: last?.SequenceNumber,
      approximateArrivalOfFirstRecord: arrival(first?.ApproximateCreationDateTime),
      approximateArrivalOfLastRecord: arrival(last?.ApproximateCreationDateTime),
      batchSize: batch.records.length,
      streamArn: spec.eventSourceArn,
    },
  }
}

function arrival(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
