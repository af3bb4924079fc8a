import type { IsoTime, PhoneNumber } from './words.ts'

/** A member of a group, by the ids that are known of them: at least one. */
export interface Participant {
  readonly phoneNumber?: PhoneNumber
  /** JID. */
  readonly lid?: string
}

export type ReceiptStep = 'delivered' | 'read' | 'played'

/** What one member of a group said of a message of ours. */
export interface ParticipantReceipt {
  readonly participant: Participant
  readonly deliveredAt?: IsoTime
  readonly readAt?: IsoTime
  readonly playedAt?: IsoTime
}

/** How many members have it, have read it, have played it. Who read it has it, whether or not that was said. */
export interface ReceiptCounts {
  readonly delivered: number
  readonly read: number
  readonly played: number
}

/** One receipt, as it came. */
export interface ToldReceipt {
  readonly participant: Participant
  readonly step: ReceiptStep
  readonly at: IsoTime
}

/** With what is told; undefined where that was told before. The first time of each step stays. */
export function receiptAfter(
  before: ParticipantReceipt | undefined,
  { participant, step, at }: ToldReceipt,
): ParticipantReceipt | undefined {
  if (before?.[`${step}At`] !== undefined) return undefined
  return { ...before, participant: { ...before?.participant, ...participant }, [`${step}At`]: at }
}

/** The counts once a member's receipt went from `before` to `after`. */
export function countsAfter(
  counts: ReceiptCounts = { delivered: 0, read: 0, played: 0 },
  before: ParticipantReceipt | undefined,
  after: ParticipantReceipt,
): ReceiptCounts {
  const [was, is] = [reached(before), reached(after)]
  const risen = (step: ReceiptStep) => counts[step] + (was < rank[step] && is >= rank[step] ? 1 : 0)
  return { delivered: risen('delivered'), read: risen('read'), played: risen('played') }
}

const rank: Readonly<Record<ReceiptStep, number>> = { delivered: 1, read: 2, played: 3 }

function reached(receipt: ParticipantReceipt | undefined): number {
  if (receipt?.playedAt !== undefined) return rank.played
  if (receipt?.readAt !== undefined) return rank.read
  return receipt?.deliveredAt === undefined ? 0 : rank.delivered
}
