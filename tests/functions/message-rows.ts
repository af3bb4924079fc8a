import { outboundKey, whatsappIdOf } from '../../shared/aws/ids.ts'
import type { ForwardStep, OutboundRow } from '../../shared/domain/stores/messages.ts'
import { image, streamRecord } from './cloud.ts'
import { businessProfileId, cloud, inMs } from './live-scene.ts'

let sends = 0

/** An accepted send of the scene's business profile. */
export async function send({ connectionId }: { readonly connectionId: string }, body = 'hello'): Promise<OutboundRow> {
  const messageId = `msg_${++sends}`
  const whatsappId = whatsappIdOf(messageId)
  const accepted = await cloud.stores.messages.accept({
    businessProfileId,
    connectionId,
    key: outboundKey(whatsappId),
    messageId,
    whatsappId,
    chat: '94714515253@s.whatsapp.net',
    direction: 'outbound',
    to: '+94714515253',
    content: { type: 'text', text: { body } },
    status: 'queued',
    partition: 0,
    waitingPartition: 0,
    generation: 0,
    deadlineAt: inMs(60_000),
    bodyHash: 'x',
    version: 1,
    epoch: 0,
    createdAt: inMs(0),
    updatedAt: inMs(0),
    expireAt: Math.floor(Date.now() / 1000) + 1_000,
  })
  if (accepted.kind !== 'created') throw new Error(accepted.kind)
  return accepted.row
}

export const messageImage = ({ connectionId, key }: OutboundRow) =>
  image(cloud.tables.messages, { connectionKey: `${businessProfileId}#${connectionId}`, key })

/** Goes a step, or several in one write, as a worker does and gives the stream's record of it. */
export async function step(row: OutboundRow, ...statuses: readonly ForwardStep['status'][]) {
  const before = await messageImage(row)
  const steps = statuses.map((status, i) => ({ status, at: inMs(i) }))
  const last = steps.at(-1)
  if (last === undefined) throw new Error('a step needs a status')
  await cloud.stores.workerMessages.step(row, row.whatsappId, 1, { ...last, earlier: steps.slice(0, -1) })
  return streamRecord({ before, after: await messageImage(row) })
}
