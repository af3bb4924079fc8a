import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { canStep, overridableFailures, statusesBefore } from '../domain/message-status.ts'
import type { ForwardStep, OutboundRow, SendStep, StepOutcome, WorkerMessages } from '../domain/stores/messages.ts'
import type { ConnectionRef, Epoch } from '../domain/words.ts'
import { admitNewChat, isKnownChat } from './chats.ts'
import { type Change, putIf, update } from './expressions.ts'
import { messageKey, outboundKey } from './ids.ts'
import { readBatch } from './message-history.ts'
import { asOutbound, itemKey, readMessage, toItem, toRow } from './message-items.ts'
import { receiptWriter } from './receipts.ts'
import { conditional, type StoreTable } from './requests.ts'
import {
  endWaiting,
  listWaiting,
  listWaitingOf,
  noLongerWaiting,
  type WaitingCounts,
  waitingCounts,
} from './waiting.ts'

const times = {
  sent: 'sentAt',
  delivered: 'deliveredAt',
  read: 'readAt',
  played: 'playedAt',
  failed: 'failedAt',
} as const

/** `message-status.ts` as a condition: the statuses that may come before, and the failures that may be overridden. */
function forward(step: SendStep): { readonly condition: string; readonly values: Readonly<Record<string, string>> } {
  const before = statusesBefore(step)
  const codes = overridableFailures.filter((code) => canStep({ status: 'failed', error: { code } }, step))
  const clauses = [
    ...(before.length === 0 ? [] : [`#status IN (${before.map((_, i) => `:before${i}`).join(', ')})`]),
    ...(codes.length === 0
      ? []
      : [`(#status = :failed AND #error.#code IN (${codes.map((_, i) => `:code${i}`).join(', ')}))`]),
  ]
  return {
    condition: clauses.join(' OR '),
    values: {
      ...Object.fromEntries(before.map((status, i) => [`:before${i}`, status])),
      ...Object.fromEntries(codes.map((code, i) => [`:code${i}`, code])),
      ...(codes.length === 0 ? {} : { ':failed': 'failed' }),
    },
  }
}

function stepChange(step: SendStep, epoch: Epoch, waits: boolean): Change {
  const { condition, values } = forward(step)
  const earlier = earlierOf(step)
  return {
    set: {
      ...noLongerWaiting,
      status: step.status,
      error: step.status === 'failed' ? step.error : null,
      // An overridden failure never happened.
      failedAt: null,
      [times[step.status]]: step.at,
      epoch,
      updatedAt: step.at,
    },
    compute: {
      version: '#version + :steps',
      // One of them may have been stored before its answer was lost.
      ...Object.fromEntries(
        earlier.map(({ status }) => [times[status], `if_not_exists(#${times[status]}, :${times[status]})`]),
      ),
    },
    condition:
      `attribute_exists(#key) AND #epoch <= :epoch AND (${condition}) AND ` +
      `${waits ? 'attribute_exists' : 'attribute_not_exists'}(#waitingPartition)`,
    values: {
      ...values,
      ...Object.fromEntries(earlier.map(({ status, at }) => [`:${times[status]}`, at])),
      ':epoch': epoch,
      ':steps': earlier.length + 1,
    },
  }
}

const earlierOf = (step: SendStep): readonly ForwardStep[] => (step.status === 'failed' ? [] : (step.earlier ?? []))

/**
 * The connector's side. `getOutbound` 1 RCU, `getOutbounds` and `getByWhatsappIds` as much for each, `listWaiting` and
 * `listWaitingOf` 0.5 RCU per 4 KB, `step` 6 WCU where it ends waiting and 2 after
 * that, `note` and `claim` 3 WCU, `putInbound` 3 WCU.
 */
export function workerMessages(store: StoreTable): WorkerMessages & WaitingCounts {
  const { documents, table } = store

  async function readOutbound(ref: ConnectionRef, key: string): Promise<OutboundRow | undefined> {
    const row = await readMessage(store, ref, key)
    return row?.direction === 'outbound' ? row : undefined
  }

  async function readOutbounds(ref: ConnectionRef, keys: readonly string[]): Promise<readonly OutboundRow[]> {
    const named = keys.map((key) => itemKey(ref, key))
    const rows = (await readBatch(store, named, 'consistent')).map(toRow)
    return rows.filter((row) => row.direction === 'outbound')
  }

  function write(ref: ConnectionRef, key: string, change: Change, waits: boolean) {
    if (waits) return endWaiting(store, ref, key, change)
    return conditional(() => documents.send(new UpdateCommand(update(table, itemKey(ref, key), change))))
  }

  const side: WorkerMessages & WaitingCounts = {
    ...waitingCounts(store),
    receipt: (...told) => receipt(...told),
    getOutbound: (ref, messageId) => readOutbound(ref, messageKey(messageId)),
    async getOutbounds(ref, messageIds) {
      const rows = await readOutbounds(ref, messageIds.map(messageKey))
      return new Map(rows.map((row) => [row.messageId, row]))
    },
    getByWhatsappId: (ref, whatsappId) => readOutbound(ref, outboundKey(whatsappId)),
    async getByWhatsappIds(ref, whatsappIds) {
      const rows = await readOutbounds(ref, whatsappIds.map(outboundKey))
      return new Map(rows.map((row) => [row.whatsappId, row]))
    },
    listWaiting: (partition) => listWaiting(store, partition),
    listWaitingOf: (ref, partition, range) => listWaitingOf(store, ref, partition, range),

    async step(ref, whatsappId, epoch, step): Promise<StepOutcome> {
      // An ack or a failure mostly meets a waiting send, a receipt one that was sent. A wrong guess costs one more request:
      // the refusal brings the row.
      const first = earlierOf(step)[0] ?? step
      let waits = first.status === 'sent' || first.status === 'failed'
      for (let tries = 0; tries < 4; tries++) {
        const written = await write(ref, outboundKey(whatsappId), stepChange(step, epoch, waits), waits)
        if (written.kind === 'landed') return { kind: 'written' }
        if (written.item === undefined) return { kind: 'gone' }
        const row = asOutbound(toRow(written.item))
        if (row.epoch > epoch) return { kind: 'fenced' }
        if (!canStep(row, step)) return { kind: 'stale' }
        waits = row.waitingPartition !== undefined
      }
      throw new Error(`message ${whatsappId}: changed under every attempt to set it ${step.status}`)
    },

    /** A send that waits no longer keeps no sentence: nothing is written then. */
    async note(ref, whatsappId, epoch, note, now, claims) {
      const unclaimed = claims === 0 ? ' AND attribute_not_exists(#claims)' : ' AND #claims = :claims'
      const holds = claims !== undefined
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, itemKey(ref, outboundKey(whatsappId)), {
              set: { note, epoch, updatedAt: now, ...(holds ? { heldAt: now } : {}) },
              compute: { version: '#version + :one' },
              condition: `attribute_exists(#waitingPartition) AND #epoch <= :epoch${holds ? unclaimed : ''}`,
              values: { ':epoch': epoch, ':one': 1, ...(holds && claims > 0 ? { ':claims': claims } : {}) },
            }),
          ),
        ),
      )
      if (written.kind === 'landed') return { kind: 'written' }
      if (written.item === undefined) return { kind: 'gone' }
      return { kind: asOutbound(toRow(written.item)).epoch > epoch ? 'fenced' : 'written' }
    },

    async claim(ref, whatsappId, epoch, now) {
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, itemKey(ref, outboundKey(whatsappId)), {
              set: { heldAt: null, note: null, epoch, updatedAt: now },
              compute: { version: '#version + :one', claims: 'if_not_exists(#claims, :zero) + :one' },
              condition: 'attribute_exists(#waitingPartition) AND #epoch <= :epoch',
              values: { ':epoch': epoch, ':one': 1, ':zero': 0 },
            }),
            ReturnValues: 'UPDATED_NEW',
          }),
        ),
      )
      if (written.kind === 'landed') return { kind: 'claimed', claims: Number(written.output.Attributes?.claims) }
      if (written.item === undefined) return { kind: 'gone' }
      return { kind: asOutbound(toRow(written.item)).epoch > epoch ? 'fenced' : 'ended' }
    },

    isKnownChat: (ref, chat) => isKnownChat(store, ref, chat),
    admitNewChat: (ref, chat, limit) => admitNewChat(store, ref, chat, limit),

    async putInbound(row) {
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, toItem(row), 'attribute_not_exists(#key)'))),
      )
      return { kind: put.kind === 'landed' ? 'created' : 'exists' }
    },
  }
  const receipt = receiptWriter(store, side.step)
  return side
}
