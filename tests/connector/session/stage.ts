import type { Holding, Log, LoginGate, Session, SessionSettings } from '../../../connector/ports.ts'
import { createLoginGate, type LoginGateSettings } from '../../../connector/session/login-gate.ts'
import { createSessionFactory } from '../../../connector/session/session.ts'
import { defaultLoginGateSettings, defaultSessionSettings } from '../../../connector/session/settings.ts'
import { outboundKey, whatsappIdOf } from '../../../shared/aws/ids.ts'
import type { ConnectionRow } from '../../../shared/domain/stores/connections.ts'
import { type OutboundRow, previousKept } from '../../../shared/domain/stores/messages.ts'
import type { CommandKind, ConnectionRef, PairingMethod } from '../../../shared/domain/words.ts'
import { ModelAuthStates } from '../../simulation/models/auth-states.ts'
import { type Fate, keyOf, type StoreNetwork } from '../../simulation/models/network.ts'
import { modelOperations } from '../../simulation/models/operations.ts'
import { ModelTables, modelConnections, modelMessages } from '../../simulation/models/stores.ts'
import { ModelWhatsApp } from '../../simulation/models/whatsapp.ts'
import { SeededRandom, VirtualClock } from '../virtual-clock.ts'

/** Everything around sessions, in scenario words: tables, WhatsApp, auth states, one clock. */
export class Stage {
  readonly clock = new VirtualClock()
  readonly tables: ModelTables
  readonly auth = new ModelAuthStates()
  readonly whatsapp = new ModelWhatsApp(this.clock, this.auth)
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[] = []
  readonly settings: SessionSettings
  readonly gateSettings: LoginGateSettings
  /** What the source of client versions answers; absent: there is none. */
  newestVersion: (() => Promise<readonly [number, number, number]>) | undefined
  /** What happens to store calls; by default they answer at once. */
  fate: (call: string, ref: ConnectionRef | undefined) => Fate = () => ({})
  /** WhatsApp ids in order of acceptance, latest first. */
  #accepted = new Map<string, readonly string[]>()
  #commands = 0
  readonly seed: number

  constructor(
    options: {
      readonly settings?: Partial<SessionSettings>
      readonly gate?: Partial<LoginGateSettings>
      readonly seed?: number
      /** How late the index of waiting sends is. */
      readonly indexLagMs?: number
    } = {},
  ) {
    const { indexLagMs } = options
    const after = (delayMs: number, show: () => void) => void this.clock.after(delayMs, show)
    this.tables = new ModelTables(indexLagMs === undefined ? undefined : { after, lagMs: () => indexLagMs })
    this.settings = { ...defaultSessionSettings, backoffJitter: 0, ...options.settings }
    this.gateSettings = { ...defaultLoginGateSettings, ...options.gate }
    this.seed = options.seed ?? 1
  }

  worker(workerId = 'w1', epoch = 1): Worker {
    return new Worker(this, workerId, epoch)
  }

  /** A connection as the API and earlier workers left it. */
  connection(name: string, change: Partial<ConnectionRow> = {}): ConnectionRef {
    const ref = { businessProfileId: 'bp_1', connectionId: `con_${name}` }
    const at = new Date(this.clock.now()).toISOString()
    this.tables.connections.set(keyOf(ref), {
      ...ref,
      status: 'connected',
      reason: 'open',
      message: 'Connected to WhatsApp.',
      label: 'Primary Device',
      pairing: 'qr',
      phoneNumber: '+94714515253',
      partition: 0,
      epoch: 0,
      version: 1,
      createdAt: at,
      updatedAt: at,
      linkedAt: at,
      ...change,
    })
    this.auth.set(ref, 'linked')
    return ref
  }

  /** One that was just created: nothing linked, asks to be paired. */
  unlinked(name: string, method: PairingMethod = 'qr'): ConnectionRef {
    const ref = this.connection(name, {
      status: 'qr_pending',
      reason: 'pairing_requested',
      linkedAt: undefined,
      pairing: method,
      command: { commandId: 'pair-1', kind: 'pair', requestedAt: new Date(this.clock.now()).toISOString(), method },
    })
    this.auth.set(ref, 'none')
    return ref
  }

  command(ref: ConnectionRef, kind: CommandKind): void {
    this.#commands += 1
    this.tables.request(ref, {
      commandId: `${kind}-${this.#commands}`,
      kind,
      requestedAt: new Date(this.clock.now()).toISOString(),
    })
  }

  /** An accepted send, as the API writes it. */
  send(
    ref: ConnectionRef,
    messageId: string,
    options: { readonly to?: string; readonly expiresInMs?: number } = {},
  ): OutboundRow {
    const before = this.#accepted.get(keyOf(ref)) ?? []
    this.#accepted.set(keyOf(ref), [whatsappIdOf(messageId), ...before])
    const at = new Date(this.clock.now()).toISOString()
    const to = options.to ?? '+94770000001'
    const row: OutboundRow = {
      ...ref,
      direction: 'outbound',
      key: outboundKey(whatsappIdOf(messageId)),
      messageId,
      whatsappId: whatsappIdOf(messageId),
      chat: `${to.slice(1)}@s.whatsapp.net`,
      to,
      content: { type: 'text', text: { body: 'hello' } },
      status: 'queued',
      seq: before.length + 1,
      previous: before.slice(0, previousKept),
      partition: 0,
      waitingPartition: 0,
      generation: 1,
      deadlineAt: new Date(this.clock.now() + (options.expiresInMs ?? 3_600_000)).toISOString(),
      bodyHash: 'hash',
      version: 1,
      epoch: 0,
      createdAt: at,
      updatedAt: at,
      expireAt: 0,
    }
    this.tables.put(row)
    return row
  }

  said(part: string): readonly string[] {
    return this.lines.map(({ message }) => message).filter((message) => message.includes(part))
  }

  alarms(): readonly string[] {
    return this.lines.flatMap(({ fields }) => ('alarm' in fields ? [String(fields.alarm)] : []))
  }

  log(): Log {
    const at = (level: string) => (fields: object, message: string) => {
      this.lines.push({ level, message, fields })
    }
    const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log }
    return log
  }
}

/** One worker's sessions. */
export class Worker {
  readonly stage: Stage
  readonly gate: LoginGate
  readonly holding: Holding & { lost: boolean; fences: number }
  readonly sessions = new Map<string, Session>()
  readonly #create: (row: ConnectionRow) => Session

  constructor(stage: Stage, workerId: string, epoch: number) {
    const random = new SeededRandom(stage.seed)
    const network: StoreNetwork = { clock: stage.clock, fate: (call, ref) => stage.fate(call, ref) }
    this.stage = stage
    this.gate = createLoginGate({
      clock: stage.clock,
      random,
      log: stage.log(),
      settings: stage.gateSettings,
      reachable: () => stage.whatsapp.reachable(),
    })
    const holding = {
      partition: 0,
      epoch,
      lost: false,
      fences: 0,
      held: () => !holding.lost,
      fenced: () => {
        holding.lost = true
        holding.fences += 1
      },
    }
    this.holding = holding
    const create = createSessionFactory({
      clock: stage.clock,
      random,
      log: stage.log(),
      whatsapp: stage.whatsapp.forWorker(),
      authStates: stage.auth.forWorker(network),
      connections: modelConnections(stage.tables, network),
      messages: modelMessages(stage.tables, network),
      operations: modelOperations(stage.tables.operations, network),
      logins: this.gate,
      workerId,
      settings: stage.settings,
      ...(stage.newestVersion === undefined ? {} : { fetchClientVersion: stage.newestVersion }),
    })
    this.#create = (row) => create(row, holding)
  }

  session(ref: ConnectionRef): Session {
    const session = this.sessions.get(keyOf(ref)) ?? this.#create(this.stage.tables.row(ref))
    this.sessions.set(keyOf(ref), session)
    return session
  }

  /** Starts a session and lets it come to its first end. */
  async restore(ref: ConnectionRef): Promise<Session> {
    const session = this.session(ref)
    session.start('restore')
    await this.stage.clock.passTime(200)
    return session
  }
}
