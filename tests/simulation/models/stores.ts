/**
 * The tables of connections and messages in memory, for session tests and the fleet simulation. Each call is one step at one
 * instant, as each is one conditional write on DynamoDB; a `StoreNetwork` delays, loses and repeats requests and answers.
 */
import { whatsappIdOf } from '../../../shared/aws/ids.ts'
import { canStep } from '../../../shared/domain/message-status.ts'
import { countsAfter, type ParticipantReceipt, receiptAfter } from '../../../shared/domain/receipts.ts'
import type {
  ConnectionChange,
  ConnectionRow,
  FencedWrite,
  WorkerConnections,
} from '../../../shared/domain/stores/connections.ts'
import type {
  ClaimOutcome,
  ForwardStep,
  InboundRow,
  MessageRow,
  OutboundRow,
  SendStep,
  StepOutcome,
  WorkerMessages,
} from '../../../shared/domain/stores/messages.ts'
import type { ConnectionCommand, ConnectionRef, Epoch, IsoTime, PartitionId } from '../../../shared/domain/words.ts'
import { keyOf, request, type StoreNetwork } from './network.ts'
import { ModelOperationTable } from './operations.ts'

/** How late an index shows a write; a row's writes come to it in their order. */
export interface IndexLag {
  after(delayMs: number, show: () => void): void
  /** Of the next write. */
  lagMs(): number
}

/** What is stored; shared by the stores of several workers. */
export class ModelTables {
  readonly connections = new Map<string, ConnectionRow>()
  /** By connection key, then by sort key. */
  readonly messages = new Map<string, Map<string, MessageRow>>()
  readonly operations = new ModelOperationTable()
  /** Of members of groups, by connection key and WhatsApp id. */
  readonly receipts = new Map<string, readonly ParticipantReceipt[]>()
  /** By connection key and day. */
  readonly newChats = new Map<string, Set<string>>()
  /** Every worker's write of a connection that landed, in order. */
  readonly landed: {
    readonly connection: string
    readonly epoch: Epoch
    readonly change: ConnectionChange
    readonly at: IsoTime
  }[] = []
  /** Every step of a message that landed, in order. */
  readonly steps: { readonly whatsappId: string; readonly epoch: Epoch; readonly status: string }[] = []
  /** What the index of waiting sends has seen: each send as it was then, waiting or not. */
  readonly #waiting = new Map<string, OutboundRow>()
  readonly #lag: IndexLag | undefined

  /** @param lag absent: the index is never late */
  constructor(lag?: IndexLag) {
    this.#lag = lag
  }

  row(ref: ConnectionRef): ConnectionRow {
    const row = this.connections.get(keyOf(ref))
    if (row === undefined) throw new Error(`no such connection: ${ref.connectionId}`)
    return row
  }

  /** `status/reason` as they changed, oldest first. */
  statuses(ref: ConnectionRef): readonly string[] {
    const said = this.landed.flatMap(({ connection, change }) =>
      connection === keyOf(ref) && change.reason != null ? [`${change.status}/${change.reason}`] : [],
    )
    return said.filter((status, at) => status !== said[at - 1])
  }

  outbound(ref: ConnectionRef, messageId: string): OutboundRow {
    const row = this.messages.get(keyOf(ref))?.get(`out#${whatsappIdOf(messageId)}`)
    if (row?.direction !== 'outbound') throw new Error(`no such send: ${messageId}`)
    return row
  }

  inbound(ref: ConnectionRef): readonly InboundRow[] {
    return [...(this.messages.get(keyOf(ref))?.values() ?? [])].filter((row) => row.direction === 'inbound')
  }

  put(row: MessageRow): void {
    const table = this.messages.get(keyOf(row)) ?? new Map<string, MessageRow>()
    table.set(row.key, row)
    this.messages.set(keyOf(row), table)
    if (row.direction !== 'outbound') return
    const lagMs = this.#lag?.lagMs() ?? 0
    if (this.#lag === undefined || lagMs === 0) this.#index(row)
    else this.#lag.after(lagMs, () => this.#index(row))
  }

  /** The index of waiting sends, as late as it is: rows as they were. */
  waiting(partition: PartitionId): readonly OutboundRow[] {
    return [...this.#waiting.values()]
      .filter((row) => row.waitingPartition === partition)
      .sort((a, b) => keyOf(a).localeCompare(keyOf(b)) || a.seq - b.seq)
  }

  #index(row: OutboundRow): void {
    const id = `${keyOf(row)} ${row.key}`
    if ((this.#waiting.get(id)?.version ?? 0) <= row.version) this.#waiting.set(id, row)
  }

  /** What the API does when a command is asked for. */
  request(ref: ConnectionRef, command: ConnectionCommand, change: ConnectionChange = {}): void {
    const row = this.row(ref)
    this.connections.set(keyOf(ref), applied({ ...row, command, version: row.version + 1 }, change))
  }
}

export function modelConnections(tables: ModelTables, network?: StoreNetwork): WorkerConnections {
  const guarded = (ref: ConnectionRef, epoch: Epoch, write: (row: ConnectionRow, key: string) => void): FencedWrite => {
    const key = keyOf(ref)
    const row = tables.connections.get(key)
    if (row === undefined) return { kind: 'gone' }
    if (row.epoch > epoch) return { kind: 'fenced' }
    write(row, key)
    return { kind: 'written' }
  }
  return {
    get: (ref) => request(network, 'connections.get', ref, () => tables.connections.get(keyOf(ref))),
    listByPartition: (partition) =>
      request(network, 'connections.list', undefined, () =>
        [...tables.connections.values()].filter((row) => row.partition === partition),
      ),
    update: (ref, epoch, change, now) =>
      request(network, 'connections.update', ref, () =>
        guarded(ref, epoch, (row, key) => {
          tables.connections.set(key, applied({ ...row, epoch, version: row.version + 1, updatedAt: now }, change))
          tables.landed.push({ connection: key, epoch, change, at: now })
        }),
      ),
    remove: (ref, epoch) =>
      request(network, 'connections.remove', ref, () => {
        const outcome = guarded(ref, epoch, (_row, key) => tables.connections.delete(key))
        // What is gone already was removed by an earlier try whose answer got lost.
        return outcome
      }),
  }
}

function applied(row: ConnectionRow, change: ConnectionChange): ConnectionRow {
  const next: Record<string, unknown> = { ...row }
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete next[name]
    else if (value !== undefined) next[name] = value
  }
  return next as unknown as ConnectionRow
}

export function modelMessages(tables: ModelTables, network?: StoreNetwork): WorkerMessages {
  const find = (ref: ConnectionRef, whatsappId: string): OutboundRow | undefined => {
    const row = tables.messages.get(keyOf(ref))?.get(`out#${whatsappId}`)
    return row?.direction === 'outbound' ? row : undefined
  }
  return {
    getOutbound: (ref, messageId) => request(network, 'messages.get', ref, () => find(ref, whatsappIdOf(messageId))),
    getOutbounds: (ref, messageIds) =>
      request(network, 'messages.get', ref, () => {
        const rows = messageIds.map((messageId) => find(ref, whatsappIdOf(messageId)))
        return new Map(rows.flatMap((row) => (row === undefined ? [] : [[row.messageId, row] as const])))
      }),
    getByWhatsappIds: (ref, whatsappIds) =>
      request(network, 'messages.get', ref, () => {
        const rows = whatsappIds.map((whatsappId) => find(ref, whatsappId))
        return new Map(rows.flatMap((row) => (row === undefined ? [] : [[row.whatsappId, row] as const])))
      }),
    getByWhatsappId: (ref, whatsappId) => request(network, 'messages.get', ref, () => find(ref, whatsappId)),
    listWaiting: (partition) => request(network, 'messages.listWaiting', undefined, () => tables.waiting(partition)),
    listWaitingOf: (ref, partition, { after, before }) =>
      request(network, 'messages.listWaiting', ref, () =>
        tables.waiting(partition).filter((row) => keyOf(row) === keyOf(ref) && row.seq > after && row.seq < before),
      ),
    step: (ref, whatsappId, epoch, step) =>
      request(network, 'messages.step', ref, (): StepOutcome => {
        const row = find(ref, whatsappId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        if (!canStep(row, step)) return { kind: 'stale' }
        tables.put(stepped(row, epoch, step))
        for (const { status } of [...earlierOf(step), step]) tables.steps.push({ whatsappId, epoch, status })
        return { kind: 'written' }
      }),
    receipt: (ref, whatsappId, epoch, told) =>
      request(network, 'messages.receipt', ref, (): StepOutcome => {
        const row = find(ref, whatsappId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        const { participant, step, at } = told
        const key = `${keyOf(ref)} ${whatsappId}`
        const all = tables.receipts.get(key) ?? []
        const before = all.find(
          (each) =>
            (participant.lid !== undefined && each.participant.lid === participant.lid) ||
            (participant.phoneNumber !== undefined && each.participant.phoneNumber === participant.phoneNumber),
        )
        const after = receiptAfter(before, told)
        const steps = canStep(row, { status: step })
        if (after === undefined && !steps) return { kind: 'stale' }
        if (steps) tables.steps.push({ whatsappId, epoch, status: step })
        const next = steps ? stepped(row, epoch, { status: step, at }) : { ...row, epoch, version: row.version + 1 }
        if (after === undefined) tables.put(next)
        else {
          const updatedAt = at > row.updatedAt ? at : row.updatedAt
          tables.put({ ...next, receipts: countsAfter(row.receipts, before, after), updatedAt })
          tables.receipts.set(key, [...all.filter((each) => each !== before), after])
        }
        return { kind: 'written' }
      }),
    note: (ref, whatsappId, epoch, note, now, claims) =>
      request(network, 'messages.note', ref, (): FencedWrite => {
        const row = find(ref, whatsappId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        // What waits no longer keeps no sentence.
        if (row.waitingPartition === undefined) return { kind: 'written' }
        if (claims !== undefined && claims !== (row.claims ?? 0)) return { kind: 'written' }
        const { note: _, ...rest } = row
        const held = { ...(note === null ? {} : { note }), ...(claims === undefined ? {} : { heldAt: now }) }
        tables.put({ ...rest, ...held, epoch, version: row.version + 1, updatedAt: now })
        return { kind: 'written' }
      }),
    claim: (ref, whatsappId, epoch, now) =>
      request(network, 'messages.claim', ref, (): ClaimOutcome => {
        const row = find(ref, whatsappId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        if (row.waitingPartition === undefined) return { kind: 'ended' }
        const { note: _, heldAt: __, ...rest } = row
        const claims = (row.claims ?? 0) + 1
        tables.put({ ...rest, claims, epoch, version: row.version + 1, updatedAt: now })
        return { kind: 'claimed', claims }
      }),
    isKnownChat: (ref, chat) =>
      request(network, 'messages.isKnownChat', ref, () =>
        [...(tables.messages.get(keyOf(ref))?.values() ?? [])].some(
          (row) => row.chat === chat && (row.direction === 'inbound' || !['queued', 'failed'].includes(row.status)),
        ),
      ),
    admitNewChat: (ref, chat, { day, max }) =>
      request(network, 'messages.admitNewChat', ref, () => {
        const key = `${keyOf(ref)} ${day}`
        const chats = tables.newChats.get(key) ?? new Set()
        tables.newChats.set(key, chats)
        if (!chats.has(chat) && chats.size >= max) return false
        chats.add(chat)
        return true
      }),
    putInbound: (row) =>
      request(network, 'messages.putInbound', row, () => {
        if (tables.messages.get(keyOf(row))?.has(row.key) === true) return { kind: 'exists' as const }
        tables.put(row)
        return { kind: 'created' as const }
      }),
  }
}

const earlierOf = (step: SendStep): readonly ForwardStep[] => (step.status === 'failed' ? [] : (step.earlier ?? []))

function stepped(row: OutboundRow, epoch: Epoch, step: SendStep): OutboundRow {
  // An overridden failure never happened.
  const { waitingPartition: _, note: __, error: ___, failedAt: ____, heldAt: _____, ...rest } = row
  const earlier = earlierOf(step)
  return {
    ...Object.fromEntries(earlier.map(({ status, at }) => [`${status}At`, at])),
    ...rest,
    epoch,
    version: row.version + earlier.length + 1,
    updatedAt: step.at,
    status: step.status,
    [`${step.status}At`]: step.at,
    ...(step.status === 'failed' ? { error: step.error } : {}),
  }
}
