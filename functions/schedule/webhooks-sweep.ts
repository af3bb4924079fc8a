import middy from '@middy/core'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { ringWebhooks } from '../../shared/aws/webhook-doorbells.ts'
import { dueShards, webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'

const config = configure('WEBHOOKS_TABLE', 'WEBHOOKS_QUEUE_URL')
const lanes = webhookLanes({ documents: documentClient(), table: config.WEBHOOKS_TABLE })
const queues = queueClient()

/** Of one part of the index, in one run; the rest is due in the next. */
const lanesMax = 500

/** Every minute: rings for lanes in which events wait although nobody rang, or whose doorbell was lost. */
export const handler = middy<unknown, void>().handler(async () => {
  log.resetKeys()
  const shards = Array.from({ length: dueShards }, (_, shard) => shard)
  await bounded(shards, dueShards, async (shard) => {
    const due = await lanes.due(shard, isoNow(), lanesMax)
    if (due.length === 0) return
    log.info('lanes are rung for again', { lanes: due.length })
    await ringWebhooks(
      queues,
      config.WEBHOOKS_QUEUE_URL,
      due.map((lane) => ({ kind: 'lane', ...lane })),
    )
    await bounded(due, 10, (lane) => lanes.rung(lane, Date.now()))
  })
})
