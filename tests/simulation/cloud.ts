/**
 * What callers and the functions do to the same tables: accept sends and commands, ring, sweep each minute, mark workers dead
 * that the platform saw die.
 */

import { held, unsendable } from '../../functions/sends/accept-send.ts'
import { ringForSend } from '../../functions/sends/ring.ts'
import { decideSweep } from '../../functions/sends/sweep.ts'
import { messageIdOf, outboundKey, whatsappIdOf } from '../../shared/aws/ids.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { ApiMessages, OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { CommandKind, ConnectionRef } from '../../shared/domain/words.ts'
import type { Audit } from './audit.ts'
import type { ModelDoorbells } from './models/doorbells.ts'
import type { ModelFleetStore } from './models/fleet.ts'
import { keyOf } from './models/network.ts'
import type { ModelTables } from './models/stores.ts'
import type { Chance, World } from './world.ts'

export interface CloudDependencies {
  readonly world: World
  readonly chance: Chance
  readonly audit: Audit
  readonly tables: ModelTables
  readonly messages: ApiMessages
  readonly fleet: ModelFleetStore
  readonly doorbells: ModelDoorbells
  readonly partitionCount: number
}

const sweepMs = 60_000

export class Cloud {
  /** Probability that a step of a function fails, and with it all that comes after. */
  trouble = 0
  /** Callers who wait for the answer to a send. */
  callers = 0
  readonly #deps: CloudDependencies
  #numbers = 0

  constructor(deps: CloudDependencies) {
    this.#deps = deps
    deps.world.after(sweepMs, () => this.#sweep())
  }

  create(ref: ConnectionRef, partition: number): void {
    const { world, tables, doorbells } = this.#deps
    const command = {
      commandId: `pair-${++this.#numbers}`,
      kind: 'pair',
      requestedAt: world.iso,
      method: 'qr',
    } as const
    tables.connections.set(keyOf(ref), {
      ...ref,
      status: 'qr_pending',
      reason: 'pairing_requested',
      message: 'Asking WhatsApp for a code to link the device.',
      label: ref.connectionId,
      pairing: 'qr',
      partition,
      epoch: 0,
      version: 1,
      createdAt: world.iso,
      updatedAt: world.iso,
      command,
    })
    void doorbells.ring(partition, { kind: 'command', ...ref, command: 'pair', commandId: command.commandId })
  }

  /** Asks for a command, where none is open. */
  command(ref: ConnectionRef, kind: CommandKind): boolean {
    const { world, tables, doorbells, audit } = this.#deps
    const row = tables.connections.get(keyOf(ref))
    if (row === undefined || hasOpenCommand(row)) return false
    const command = { commandId: `${kind}-${++this.#numbers}`, kind, requestedAt: world.iso } as const
    world.log('caller', `asks to ${kind} ${ref.connectionId}`)
    const pairing = { status: 'qr_pending', reason: 'pairing_requested', message: '', remedy: null } as const
    tables.request(ref, command, kind === 'pair' ? pairing : {})
    if (kind === 'logout' || kind === 'delete') audit.unlinked(keyOf(ref))
    if (!this.#fails())
      void doorbells.ring(row.partition, { kind: 'command', ...ref, command: kind, commandId: command.commandId })
    return true
  }

  /** A caller's send, asked for again under its idempotency key until it is accepted; scheduled where `inMs` is given. */
  async send(ref: ConnectionRef, to: string, expiresInMs: number, inMs?: number): Promise<void> {
    const { world, chance } = this.#deps
    const idempotencyKey = `send-${++this.#numbers}`
    const askedAt = world.now
    const dueAt = inMs === undefined ? undefined : askedAt + inMs
    this.callers += 1
    for (;;) {
      const row = await this.#accept(ref, to, expiresInMs, idempotencyKey, dueAt)
      if (row !== 'failed') this.callers -= 1
      if (row === 'refused') return
      if (row !== 'failed') {
        const { messageId, whatsappId, chat, seq } = row
        const due = dueAt === undefined ? {} : { dueAt }
        this.#deps.audit.accepted({ ref, messageId, whatsappId, chat, seq, ...due, askedAt, answeredAt: world.now })
        return
      }
      await this.#pause(chance.between(200, 3_000))
    }
  }

  /** A caller changes his mind about a send that waits. */
  async cancel(): Promise<void> {
    const { world, chance, messages, audit } = this.#deps
    const send = chance.pick(audit.unended())
    if (send === undefined || this.#fails()) return
    await this.#step()
    const outcome = await messages.cancel(send.ref, send.messageId, world.iso)
    world.log('caller', `cancels number ${send.seq} of ${send.ref.connectionId}: ${outcome.kind}`)
    if (outcome.kind === 'cancelled') audit.cancelled()
  }

  /** An ECS task state change event: at least once, mostly. */
  stopped(workerId: string): void {
    void this.#deps.fleet.markDead(workerId)
  }

  async #accept(
    ref: ConnectionRef,
    to: string,
    expiresInMs: number,
    idempotencyKey: string,
    dueAt: number | undefined,
  ): Promise<OutboundRow | 'failed' | 'refused'> {
    const { world, tables, messages, doorbells, audit } = this.#deps
    await this.#step()
    const connection = tables.connections.get(keyOf(ref))
    if (connection === undefined || connection.command?.kind === 'delete') return 'refused'
    if (this.#fails()) return 'failed'
    const messageId = messageIdOf(ref, idempotencyKey)
    const whatsappId = whatsappIdOf(messageId)
    audit.asked(whatsappId)
    const error = unsendable(connection)
    const sendAt = dueAt === undefined ? undefined : new Date(world.wallClock - world.now + dueAt).toISOString()
    const dueInMs = Math.max(0, (dueAt ?? 0) - world.now)
    const outcome = await messages.accept({
      ...ref,
      key: outboundKey(whatsappId),
      messageId,
      whatsappId,
      direction: 'outbound',
      to,
      chat: `${to.slice(1)}@s.whatsapp.net`,
      content: { type: 'text', text: { body: idempotencyKey } },
      ...(error === undefined
        ? { status: 'queued', waitingPartition: connection.partition, ...held(connection, sendAt, world.iso) }
        : { status: 'failed', error, failedAt: world.iso }),
      partition: connection.partition,
      generation: 0,
      deadlineAt: new Date(world.wallClock + dueInMs + expiresInMs).toISOString(),
      ...(sendAt === undefined ? {} : { sendAt }),
      idempotencyKey,
      bodyHash: idempotencyKey,
      version: 1,
      epoch: 0,
      createdAt: world.iso,
      updatedAt: world.iso,
      expireAt: Math.floor(world.wallClock / 1_000) + 90 * 86_400,
    })
    if (outcome.kind !== 'created' && outcome.kind !== 'replayed') return 'refused'
    const { row } = outcome
    world.log('caller', `sends number ${row.seq} of ${ref.connectionId}, ${whatsappId}: ${row.status}`)
    await this.#step()
    if (this.#fails()) return 'failed'
    // That it does not ring is the sweep's to repair.
    if (row.status === 'queued' && row.enqueuedAt === undefined && !this.#fails()) {
      await ringForSend({ doorbells, messages }, row, world.iso)
    }
    await this.#step()
    return this.#fails() ? 'failed' : row
  }

  #sweep(): void {
    const { world } = this.#deps
    world.after(sweepMs, () => this.#sweep())
    void this.#sweepNow()
  }

  async #sweepNow(): Promise<void> {
    const { world, messages, doorbells, partitionCount } = this.#deps
    for (let partition = 0; partition < partitionCount; partition++) {
      for (const action of decideSweep(await messages.listWaiting(partition), world.wallClock)) {
        await this.#step()
        if (this.#fails()) continue
        if (action.kind === 'ring') await ringForSend({ doorbells, messages }, action.row, world.iso)
        else await messages.expire(action.row, action.error, world.iso)
      }
    }
  }

  #fails(): boolean {
    return this.#deps.chance.happens(this.trouble)
  }

  #step(): Promise<void> {
    return this.#pause(this.#deps.chance.between(2, 25))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.world.after(ms, resolve))
  }
}

function hasOpenCommand(row: ConnectionRow): boolean {
  return row.command !== undefined && row.command.commandId !== row.handledCommandId
}
