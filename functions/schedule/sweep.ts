import middy from '@middy/core'
import type { EventBridgeEvent } from 'aws-lambda'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import { apiOperations } from '../../shared/aws/operations.ts'
import { assertNever, type PartitionId } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { sweepOperations } from '../operations/sweep.ts'
import { ringForSend } from '../sends/ring.ts'
import { decideSweep, type SweepAction } from '../sends/sweep.ts'
import { isoNow } from '../time.ts'

const config = configure('MESSAGES_TABLE', 'PARTITION_QUEUE_PREFIX', 'PARTITION_COUNT')
const store = { documents: documentClient(), table: config.MESSAGES_TABLE }
const messages = apiMessages(store)
const operations = apiOperations(store)
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })

const partitionsAtOnce = 4
const actionsAtOnce = 10
/** Of one partition in one run; what is left over is the next minute's. */
const actionsMax = 1_000

/** Each minute: rings for waiting sends that nobody rang for, and ends those, and operations, that no worker ended in time. */
export const handler = middy<EventBridgeEvent<'Scheduled Event', unknown>, void>().handler(async () => {
  log.resetKeys()
  const partitions = Array.from({ length: config.PARTITION_COUNT }, (_, partition) => partition)
  const ofSends = (await bounded(partitions, partitionsAtOnce, sweep)).flat()
  const ofOperations = (await bounded(partitions, partitionsAtOnce, endLate)).filter((error) => error !== undefined)
  const failures = [...ofSends, ...ofOperations]
  if (failures.length > 0)
    throw new AggregateError(failures, 'something that waits was not swept; the next run takes it')
})

async function sweep(partition: PartitionId): Promise<readonly Error[]> {
  try {
    const actions = decideSweep(await messages.listWaiting(partition), Date.now()).slice(0, actionsMax)
    const outcomes = await bounded(actions, actionsAtOnce, act)
    const failures = outcomes.filter((outcome) => outcome !== undefined)
    if (actions.length > 0) log.info('swept', { partition, actions: actions.length, failures: failures.length })
    return failures
  } catch (error) {
    return [asError(error)]
  }
}

async function endLate(partition: PartitionId): Promise<Error | undefined> {
  try {
    const ended = await sweepOperations(operations, partition, Date.now())
    if (ended > 0) log.info('operations ended', { partition, ended })
    return undefined
  } catch (error) {
    return asError(error)
  }
}

async function act(action: SweepAction): Promise<Error | undefined> {
  const { row } = action
  try {
    switch (action.kind) {
      case 'ring':
        await ringForSend({ doorbells, messages }, row, isoNow())
        break
      case 'expire':
        await messages.expire(row, action.error, isoNow())
        break
      default:
        assertNever(action)
    }
    return undefined
  } catch (error) {
    log.warn('not swept', { action: action.kind, messageId: row.messageId, error: asError(error) })
    return asError(error)
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
