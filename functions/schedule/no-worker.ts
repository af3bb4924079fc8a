import { setTimeout as delay } from 'node:timers/promises'
import middy from '@middy/core'
import type { EventBridgeEvent } from 'aws-lambda'
import { documentClient } from '../../shared/aws/clients.ts'
import { watchdogConnections } from '../../shared/aws/connections.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { PartitionId } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { count, log } from '../log.ts'
import { isoNow } from '../time.ts'
import { orphaned, Pulse } from './pulse.ts'

const config = configure('CONNECTIONS_TABLE', 'FLEET_TABLE', 'PARTITION_COUNT', 'WORKER_SILENCE_MS')
const documents = documentClient()
const fleet = fleetStore({ documents, table: config.FLEET_TABLE })
const connections = watchdogConnections({ documents, table: config.CONNECTIONS_TABLE })

/** Counters as this process saw them; it usually lives for many runs, and then a run needs one look. */
const pulse = new Pulse(config.WORKER_SILENCE_MS)
const lookAgainMs = Math.ceil(config.WORKER_SILENCE_MS / 4)

/** Each minute: tells people of connections whose partition has no living worker. */
export const handler = middy<EventBridgeEvent<'Scheduled Event', unknown>, void>().handler(async () => {
  log.resetKeys()
  const partitions = await orphanedPartitions()
  const marked = (await bounded(partitions, 4, markPartition)).reduce((sum, each) => sum + each, 0)
  if (partitions.length > 0) count('PartitionsWithoutWorker', partitions.length, { partitions, marked })
})

/**
 * An owner whose counter has not moved is watched, on this process's own clock, until it moves or has stood still for a lease
 * time. Nothing is concluded from the time of an earlier run or from anybody else's clock.
 */
async function orphanedPartitions(): Promise<readonly PartitionId[]> {
  pulse.beginWatch()
  for (;;) {
    const view = await fleet.view()
    pulse.see(view.workers, performance.now())
    const verdict = orphaned(view, config.PARTITION_COUNT, pulse, performance.now())
    if (!verdict.undecided) return verdict.partitions
    await delay(lookAgainMs)
  }
}

async function markPartition(partition: PartitionId): Promise<number> {
  const rows = (await connections.listByPartition(partition)).filter(looksAlive)
  const outcomes = await bounded(rows, 10, (row) => connections.markNoWorker(row, isoNow()))
  return outcomes.filter(({ kind }) => kind === 'written').length
}

/** Those that a worker would keep connected, and that do not say so yet. */
const looksAlive = ({ status, reason }: ConnectionRow): boolean =>
  status === 'connected' || (status === 'reconnecting' && reason !== 'no_worker')
