/** One worker: the connector's own parts, put together as `connector/main.ts` does, on a simulated process. */

import type { Creds } from '../../connector/auth/auth-state.ts'
import { authStates } from '../../connector/auth/auth-states.ts'
import { type Renewal, type RenewalEnd, RenewalLoop, type WorkerLoad } from '../../connector/fleet/renewal.ts'
import { RenewalMemory } from '../../connector/fleet/renewal-memory.ts'
import type { Log, LoginGate, SessionSettings } from '../../connector/ports.ts'
import { createLoginGate } from '../../connector/session/login-gate.ts'
import { createSessionFactory } from '../../connector/session/session.ts'
import { defaultLoginGateSettings } from '../../connector/session/settings.ts'
import { type Connector, createConnector } from '../../connector/worker/connector.ts'
import { isLeaseValid, type LeaseTerms } from '../../shared/domain/leases.ts'
import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { WorkerConnections } from '../../shared/domain/stores/connections.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'
import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { WorkerOperations } from '../../shared/domain/stores/operations.ts'
import type { Audit, AuditedWorker } from './audit.ts'
import type { Breakages } from './breakages.ts'
import type { ModelDoorbells } from './models/doorbells.ts'
import type { SimulatedProcess } from './process.ts'
import { remote } from './remote.ts'
import type { Weather } from './weather.ts'
import { simulatedWhatsApp } from './whatsapp/client.ts'
import type { WhatsApp } from './whatsapp/server.ts'
import type { Chance, World } from './world.ts'

export interface WorkerSurroundings {
  readonly world: World
  readonly weather: Weather
  readonly audit: Audit
  readonly breakages: Breakages
  readonly whatsapp: WhatsApp
  readonly stores: {
    readonly fleet: FleetStore
    readonly connections: WorkerConnections
    readonly messages: WorkerMessages
    readonly operations: WorkerOperations
    readonly auth: AuthStore
    readonly doorbells: ModelDoorbells
  }
  readonly terms: LeaseTerms
  readonly partitionCount: number
  readonly session: SessionSettings
}

export interface WorkerOptions {
  readonly deployment: string
  readonly chance: Chance
  readonly exit: (code: number) => void
}

export class SimulatedWorker implements AuditedWorker {
  readonly process: SimulatedProcess
  readonly deployment: string
  readonly #surroundings: WorkerSurroundings
  readonly #connector: Connector
  readonly #logins: LoginGate
  readonly #memory = new RenewalMemory()

  constructor(process: SimulatedProcess, surroundings: WorkerSurroundings, options: WorkerOptions) {
    const { world, weather, audit, breakages, whatsapp, stores, terms, partitionCount, session } = surroundings
    const { chance } = options
    this.process = process
    this.deployment = options.deployment
    this.#surroundings = surroundings
    audit.starts(process.name)
    const { clock } = process.main
    const log = worldLog(world, process)
    const over = <T extends object>(service: 'fleet' | 'connections' | 'messages' | 'auth' | 'doorbells', store: T) =>
      remote(world, weather, audit, process.main, service, store)
    const connections = over('connections', stores.connections)
    const messages = over('messages', stores.messages)
    // One table, one weather.
    const operations = over('messages', stores.operations)
    const whatsappPort = simulatedWhatsApp({
      thread: process.main,
      server: whatsapp,
      audit,
      chance,
      log,
      workerId: process.name,
      breakages,
    })
    this.#logins = createLoginGate({
      clock,
      random: chance,
      log,
      settings: breakages.logins(defaultLoginGateSettings),
      reachable: whatsappPort.reachable,
    })
    const identity = { workerId: process.name, taskArn: `arn:task/${process.name}`, deployment: options.deployment }
    const createSession = createSessionFactory({
      clock,
      random: chance,
      log,
      whatsapp: whatsappPort,
      authStates: authStates({
        store: over('auth', stores.auth),
        clock,
        random: chance,
        log,
        newIdentity: (): Creds => ({ identity: chance.id() }) as Creds,
        // Small, so that compaction happens all the time.
        settings: { compactEntries: 12 },
      }),
      connections,
      messages,
      operations,
      logins: this.#logins,
      workerId: process.name,
      settings: session,
    })
    this.#connector = createConnector({
      clock,
      log,
      identity,
      stores: {
        fleet: over('fleet', stores.fleet),
        connections,
        messages,
        operations,
        doorbells: over('doorbells', stores.doorbells),
      },
      createSession,
      startRenewal: (load) => this.#startRenewal(load),
      recorder: { count: () => undefined },
      settings: {
        terms,
        partitionCount,
        maxConnections: 500,
        stopTimeoutMs: 120_000,
        handoverRate: 60,
        worker: { doorbellWaitSeconds: 5, refreshMs: 60_000, drainMs: 10_000 },
      },
      exit: options.exit,
    })
  }

  get workerId(): string {
    return this.process.name
  }

  get running(): boolean {
    return this.process.running
  }

  get seesOutage(): boolean {
    return this.#logins.outage
  }

  get leaseValid(): boolean {
    const now = { monotonic: this.process.monotonic, wall: this.process.wallClock }
    return isLeaseValid(this.#memory.confirmed, now, this.#surroundings.terms)
  }

  get stopping(): boolean {
    return this.#connector.shutdown.stopping
  }

  /** As `main` does: what goes wrong at the start ends the process. */
  start(): void {
    this.#connector.start().catch((error: unknown) => this.#connector.shutdown.fail('the start', error))
  }

  /** SIGTERM */
  askToStop(): void {
    this.process.main.deliver(() => this.#connector.shutdown.signal('SIGTERM'))
  }

  /** As `threaded-renewal.ts`: the loop on a thread of its own, the numbers that both share, messages between them. */
  #startRenewal(load: WorkerLoad): Renewal {
    const { world, weather, audit, breakages, stores, terms } = this.#surroundings
    const { main, renewing } = this.process
    const memory = this.#memory
    memory.beat(main.clock.monotonic())
    const { promise: ended, resolve } = Promise.withResolvers<RenewalEnd>()
    const loop = new RenewalLoop(
      {
        clock: renewing.clock,
        store: remote(world, weather, audit, renewing, 'fleet', stores.fleet),
        workerId: this.process.name,
        terms,
        heartbeatAgeMs: () => renewing.clock.monotonic() - memory.heartbeat,
        publish: (stamp) => {
          const { clock } = renewing
          memory.confirm(breakages.stampsLate ? { monotonic: clock.monotonic(), wall: clock.now() } : stamp)
        },
        dead: () => main.deliver(() => resolve({ kind: 'dead' })),
      },
      load,
    )
    loop.start()
    return {
      confirmed: () => memory.confirmed,
      beat: () => memory.beat(main.clock.monotonic()),
      carry: (next) => renewing.deliver(() => loop.carry(next)),
      ended,
      stop: async () => loop.stop(),
    }
  }
}

function worldLog(world: World, process: SimulatedProcess): Log {
  const say = (level: string) => (_fields: object, message: string) => {
    if (process.alive) world.log(process.name, `${level} ${message}`)
  }
  const log: Log = {
    debug: () => undefined,
    info: say('info '),
    warn: say('warn '),
    error: say('ERROR'),
    child: () => log,
  }
  return log
}
