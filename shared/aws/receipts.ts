import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { canStep } from '../domain/message-status.ts'
import {
  countsAfter,
  type Participant,
  type ParticipantReceipt,
  receiptAfter,
  type ToldReceipt,
} from '../domain/receipts.ts'
import type { OutboundRow, StepOutcome, WorkerMessages } from '../domain/stores/messages.ts'
import type { ConnectionRef } from '../domain/words.ts'
import { attributeNames, update } from './expressions.ts'
import { connectionKey, outboundKey } from './ids.ts'
import { asOutbound, itemKey, readMessage } from './message-items.ts'
import { type Item, queryAll, type StoreTable, transaction } from './requests.ts'

/**
 * Receipts of the members of a group: one item each, `receipt#<whatsappId>#<LID, or phone number>`, beside the message in its
 * connection, so that the message keeps its size whatever the group's. It ends with the message.
 */
export const receiptPrefix = (whatsappId: string): string => `receipt#${whatsappId}#`

const receiptKeys = (whatsappId: string, { lid, phoneNumber }: Participant): string[] =>
  [lid, phoneNumber].filter((id) => id !== undefined).map((id) => receiptPrefix(whatsappId) + id)

/** Another write came between reading and writing. */
const triesMax = 8

interface StoredReceipt {
  readonly key: string
  readonly receipt: ParticipantReceipt
}

function receiptOf(item: Item): ParticipantReceipt {
  const { participant, deliveredAt, readAt, playedAt } = item as unknown as ParticipantReceipt
  return {
    participant,
    ...(deliveredAt === undefined ? {} : { deliveredAt }),
    ...(readAt === undefined ? {} : { readAt }),
    ...(playedAt === undefined ? {} : { playedAt }),
  }
}

/** Consistent. 0.5 RCU per 4 KB: about 30 members. In the order of their ids. */
export async function readReceipts(
  store: StoreTable,
  ref: ConnectionRef,
  whatsappId: string,
): Promise<readonly ParticipantReceipt[]> {
  return (await receiptItems(store, ref, whatsappId)).map(receiptOf)
}

/** Sort keys of a message's receipts. */
export async function receiptKeysOf(store: StoreTable, ref: ConnectionRef, whatsappId: string): Promise<string[]> {
  return (await receiptItems(store, ref, whatsappId)).map(({ key }) => String(key))
}

function receiptItems({ documents, table }: StoreTable, ref: ConnectionRef, whatsappId: string): Promise<Item[]> {
  const condition = '#connectionKey = :of AND begins_with(#key, :prefix)'
  return queryAll(documents, {
    TableName: table,
    ConsistentRead: true,
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: { ':of': connectionKey(ref), ':prefix': receiptPrefix(whatsappId) },
  })
}

/**
 * Stores a member's receipt together with the message's counts and status, so that a receipt that comes again is not counted
 * again. 3 RCU and 6 WCU.
 *
 * @param step of a message that waits still: a receipt is an ack as well
 */
export function receiptWriter(store: StoreTable, step: WorkerMessages['step']): WorkerMessages['receipt'] {
  const { documents, table } = store

  /** Told by one id before and by another now, it is the same member. */
  async function storedReceipt(ref: ConnectionRef, keys: readonly string[]): Promise<StoredReceipt | undefined> {
    const answers = await Promise.all(
      keys.map((key) =>
        documents.send(new GetCommand({ TableName: table, Key: itemKey(ref, key), ConsistentRead: true })),
      ),
    )
    const found = answers.flatMap(({ Item }, i) =>
      Item === undefined ? [] : [{ key: keys[i], receipt: receiptOf(Item) }],
    )
    return found[0] as StoredReceipt | undefined
  }

  async function written(
    row: OutboundRow,
    epoch: number,
    told: ToldReceipt,
    key: string,
    before: ParticipantReceipt | undefined,
    after: ParticipantReceipt,
  ): Promise<boolean> {
    const { whatsappId, version, expireAt } = row
    const steps = canStep(row, { status: told.step })
    const outcome = await transaction(documents, [
      { Put: { TableName: table, Item: { ...itemKey(row, key), ...after, expireAt } } },
      {
        Update: update(table, itemKey(row, outboundKey(whatsappId)), {
          set: {
            receipts: countsAfter(row.receipts, before, after),
            epoch,
            updatedAt: told.at > row.updatedAt ? told.at : row.updatedAt,
            ...(steps && { status: told.step, error: null, failedAt: null, [`${told.step}At`]: told.at }),
          },
          compute: { version: '#version + :one' },
          condition: '#version = :version AND #epoch <= :epoch',
          values: { ':version': version, ':epoch': epoch, ':one': 1 },
        }),
      },
    ])
    return outcome.kind === 'landed'
  }

  return async (ref, whatsappId, epoch, told): Promise<StepOutcome> => {
    const keys = receiptKeys(whatsappId, told.participant)
    for (let tries = 0; tries < triesMax; tries++) {
      const [message, there] = await Promise.all([
        readMessage(store, ref, outboundKey(whatsappId)),
        storedReceipt(ref, keys),
      ])
      if (message === undefined) return { kind: 'gone' }
      const row = asOutbound(message)
      if (row.epoch > epoch) return { kind: 'fenced' }
      const after = receiptAfter(there?.receipt, told)
      const key = there?.key ?? keys[0]
      if (after === undefined || key === undefined || row.waitingPartition !== undefined) {
        const outcome = await step(ref, whatsappId, epoch, { status: told.step, at: told.at })
        if (after === undefined || key === undefined || outcome.kind === 'fenced' || outcome.kind === 'gone')
          return outcome
        continue
      }
      if (await written(row, epoch, told, key, there?.receipt, after)) return { kind: 'written' }
    }
    throw new Error(`message ${whatsappId}: changed under every attempt to note a receipt`)
  }
}
