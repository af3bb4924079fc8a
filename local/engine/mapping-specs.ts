/** Completes a mapping of the template with what only a run knows: who polls, and the emulator's own stream ARN. */
import type { PrincipalClientConfig, QueueMappingSpec, StreamMappingSpec } from './contracts.ts'
import { TemplateError } from './template/errors.ts'
import type { FunctionSpec, MappingSpec, Model } from './template/specs.ts'

/** Lambda's defaults, and its standard concurrency for a queue, which is more than one laptop has use for. */
const QUEUE_BATCH_SIZE = 10
const STREAM_BATCH_SIZE = 100
const QUEUE_CONCURRENCY = 10

export function mappingSpec(
  mapping: MappingSpec,
  model: Model,
  streams: ReadonlyMap<string, string>,
  clientFor: (spec: FunctionSpec) => PrincipalClientConfig,
): QueueMappingSpec | StreamMappingSpec {
  const target = model.functions.find(({ arn }) => arn === mapping.functionArn)
  if (target === undefined)
    throw new TemplateError(mapping.mappingId, `its function ${mapping.functionArn} does not exist`)
  const common = {
    mappingId: mapping.mappingId,
    functionArn: mapping.functionArn,
    maxBatchingWindowSeconds: mapping.maxBatchingWindowSeconds,
    reportBatchItemFailures: mapping.reportBatchItemFailures,
    filters: mapping.filters,
    client: clientFor(target),
  }
  const queue = model.queues.find(({ arn }) => arn === mapping.eventSourceArn)
  if (queue !== undefined) {
    return {
      ...common,
      kind: 'queue',
      functionTimeoutSeconds: target.timeoutMs / 1000,
      queueUrl: queue.url,
      queueArn: queue.arn,
      fifo: queue.fifo,
      batchSize: mapping.batchSize ?? QUEUE_BATCH_SIZE,
      maxConcurrency: mapping.maxConcurrency ?? QUEUE_CONCURRENCY,
    }
  }
  const table = model.tables.find(({ streamArn }) => streamArn === mapping.eventSourceArn)
  const streamArn = table === undefined ? undefined : streams.get(table.name)
  if (table === undefined || streamArn === undefined) {
    throw new TemplateError(
      mapping.mappingId,
      `its event source ${mapping.eventSourceArn} is neither a queue nor a table's stream of the template`,
    )
  }
  if (mapping.startingPosition === undefined)
    throw new TemplateError(mapping.mappingId, 'a stream needs a StartingPosition')
  const failureQueue = model.queues.find(({ arn }) => arn === mapping.onFailureArn)
  if (mapping.onFailureArn !== undefined && failureQueue === undefined) {
    throw new TemplateError(
      mapping.mappingId,
      `its failure destination ${mapping.onFailureArn} is not a queue of the template`,
    )
  }
  return {
    ...common,
    kind: 'stream',
    tableName: table.name,
    streamArn,
    eventSourceArn: table.streamArn,
    startingPosition: mapping.startingPosition,
    batchSize: mapping.batchSize ?? STREAM_BATCH_SIZE,
    maximumRetryAttempts: mapping.maximumRetryAttempts,
    maximumRecordAgeSeconds: mapping.maximumRecordAgeSeconds,
    bisectBatchOnFunctionError: mapping.bisectBatchOnFunctionError,
    parallelizationFactor: mapping.parallelizationFactor,
    ...(failureQueue === undefined ? {} : { onFailureQueueUrl: failureQueue.url }),
  }
}
