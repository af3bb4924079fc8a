import middy from '@middy/core'
import type { EventBridgeEvent } from 'aws-lambda'
import { z } from 'zod'
import { documentClient } from '../../shared/aws/clients.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'

const config = configure('FLEET_TABLE', 'CONNECTOR_CONTAINER')
const fleet = fleetStore({ documents: documentClient(), table: config.FLEET_TABLE })

/** What is read of an "ECS Task State Change". */
const detailSchema = z.object({
  taskArn: z.string().min(1),
  lastStatus: z.string(),
  containers: z.array(z.object({ name: z.string(), exitCode: z.number().int().optional() })).default([]),
})

/**
 * A worker's task stopped and its process has an exit code: it is dead, and its partitions need not wait for its lease. Without
 * an exit code (the host was lost, say) it may still run: then the lease is waited out.
 */
export const handler = middy<EventBridgeEvent<'ECS Task State Change', unknown>, void>().handler(async (event) => {
  log.resetKeys()
  const { taskArn, lastStatus, containers } = detailSchema.parse(event.detail)
  log.appendKeys({ taskArn })
  if (lastStatus !== 'STOPPED') return
  const container = containers.find(({ name }) => name === config.CONNECTOR_CONTAINER)
  if (container?.exitCode === undefined) {
    log.info('stopped without an exit code: its lease is waited out')
    return
  }
  const { workers } = await fleet.view()
  const stopped = workers.filter((worker) => worker.taskArn === taskArn && worker.state !== 'dead')
  for (const { workerId } of stopped) {
    await fleet.markDead(workerId)
    log.info('worker is dead', { workerId, exitCode: container.exitCode })
  }
})
