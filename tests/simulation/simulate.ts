import { defaultSessionSettings } from '../../connector/session/settings.ts'
import type { LeaseTerms } from '../../shared/domain/leases.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { Audit, invariants } from './audit.ts'
import { Breakages, type Mistake } from './breakages.ts'
import { Cloud } from './cloud.ts'
import { type FaultKind, type FaultTargets, faultKinds, heal, inflict, inflictOutage } from './faults.ts'
import { modelApiMessages } from './models/api-messages.ts'
import { AuthTables, modelAuthStore } from './models/auth.ts'
import { ModelDoorbells } from './models/doorbells.ts'
import { ModelFleetStore } from './models/fleet.ts'
import { keyOf } from './models/network.ts'
import { modelOperations } from './models/operations.ts'
import { ModelTables, modelConnections, modelMessages } from './models/stores.ts'
import { Platform } from './platform.ts'
import { Watchdog } from './watchdog.ts'
import { Weather } from './weather.ts'
import { type Device, WhatsApp } from './whatsapp/server.ts'
import { Violation, World } from './world.ts'

export interface SimulationOptions {
  readonly connections?: number
  readonly workers?: number
  /** Virtual time under faults. */
  readonly faultsForMs?: number
  /** Absent: a selection of the seed's own. */
  readonly faults?: readonly FaultKind[]
  /** Mean times between two faults, and between two things that callers and people do; absent: the seed's own. */
  readonly faultEveryMs?: number
  readonly trafficEveryMs?: number
  /** How long WhatsApp is away once the other faults are over; absent: an hour with each tenth seed, else not at all. */
  readonly awayForMs?: number
  /** A deliberate mistake, which the invariants must find. */
  readonly mistake?: Mistake
  readonly onLine?: (line: string) => void
}

export interface SimulationResult {
  readonly seed: number
  readonly violation?: Violation
  /** The newest lines of the log, oldest first. */
  readonly lines: readonly string[]
  /** Of the whole log. */
  readonly digest: string
  readonly virtualMs: number
  readonly events: number
  readonly counts: Audit['counts']
}

const terms: LeaseTerms = { leaseMs: 12_000, marginMs: 2_000, renewMs: 3_000 }
const partitionCount = 4
/** Shorter than in production, so that a run that has nothing left to wait for ends soon; an outage takes the real one. */
const slowLaneMs = 120_000
const quarantineMs = 120_000
const linkedWithinMs = 180_000
const recoveredWithinMs = 15 * 60_000
const endedWithinMs = 15 * 60_000
/** A socket that broke unnoticed is found by a probe, and may be at the longest wait of its series. */
const storedWithinMs = 240_000
/** After an outage of any length. */
const returnedWithinMs = 120_000

/** One run of one seed: a calm start, faults, their end, and what must be true afterwards. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const simulation = new Simulation(seed, options)
  return simulation.run()
}

class Simulation {
  readonly #world: World
  readonly #audit: Audit
  readonly #options: SimulationOptions
  readonly #tables: ModelTables
  readonly #fleet = new ModelFleetStore()
  readonly #targets: FaultTargets
  readonly #awayForMs: number
  #faulty = true

  constructor(seed: number, options: SimulationOptions) {
    this.#options = options
    this.#awayForMs = options.awayForMs ?? (seed % 10 === 0 ? 60 * 60_000 : 0)
    const world = new World(seed, options.onLine)
    this.#world = world
    const { chance } = world
    const breakages = new Breakages(options.mistake)
    const auth = new AuthTables()
    const clock = { now: () => world.wallClock, monotonic: () => world.now, after: world.after.bind(world) }
    const doorbells = new ModelDoorbells(clock)
    const lags = chance.fork()
    const tables = new ModelTables({
      after: (delayMs, show) => void world.after(delayMs, show),
      // Mostly soon, sometimes not; what sends rest on is far later than that.
      lagMs: () => lags.between(1, lags.happens(0.9) ? 40 : weather.indexLagMsMax),
    })
    this.#tables = tables
    const audit: Audit = new Audit({ world, fleet: this.#fleet, tables, auth, workers: () => platform.workers })
    this.#audit = audit
    const weather = new Weather(chance.fork())
    const whatsapp = new WhatsApp(world, chance.fork(), audit)
    const messages = modelApiMessages(tables)
    const cloud = new Cloud({
      world,
      chance: chance.fork(),
      audit,
      tables,
      messages,
      fleet: this.#fleet,
      doorbells,
      partitionCount,
    })
    new Watchdog({
      world,
      chance: chance.fork(),
      fleet: this.#fleet,
      tables,
      breakages,
      partitionCount,
      silenceMs: terms.leaseMs + terms.marginMs,
    })
    const platform: Platform = new Platform(
      {
        world,
        weather,
        audit,
        breakages,
        whatsapp,
        stores: {
          fleet: this.#fleet,
          connections: breakages.connections(modelConnections(tables), tables),
          messages: breakages.messages(modelMessages(tables)),
          operations: modelOperations(tables.operations),
          auth: breakages.authStore(modelAuthStore(auth), auth),
          doorbells,
        },
        terms: breakages.terms(terms),
        partitionCount,
        session: {
          ...defaultSessionSettings,
          quarantineMs,
          ...(this.#awayForMs > 0 ? {} : { slowLaneMs }),
        },
      },
      chance.fork(),
      {
        workers: options.workers ?? chance.whole(2, 4),
        clockSpread: 0.03,
        stopped: (workerId) => cloud.stopped(workerId),
      },
    )
    this.#targets = { world, chance, weather, platform, cloud, whatsapp, breakages }
  }

  async run(): Promise<SimulationResult> {
    const uncaught = (error: unknown) => {
      const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      this.#world.violated(invariants.uncaught, what)
    }
    process.on('unhandledRejection', uncaught)
    try {
      await this.#play()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
    } finally {
      process.off('unhandledRejection', uncaught)
    }
    const { seed, violation, lines, digest, now, events } = this.#world
    return {
      seed,
      ...(violation === undefined ? {} : { violation }),
      lines,
      digest,
      virtualMs: now,
      events,
      counts: this.#audit.counts,
    }
  }

  async #play(): Promise<void> {
    const { world, platform, whatsapp } = this.#targets
    this.#create()
    platform.start()
    this.#scan()
    await this.#within(linkedWithinMs, 'every connection is linked', () =>
      [...whatsapp.devices.values()].every((device) => this.#isConnected(device)),
    )
    world.log('scenario', 'all are linked; faults begin')
    this.#inflict()
    this.#live()
    await this.#pass(this.#options.faultsForMs ?? world.chance.between(60_000, 240_000))
    world.log('scenario', 'faults end')
    this.#faulty = false
    heal(this.#targets)
    this.#operate()
    await this.#within(recoveredWithinMs, 'every linked connection is connected', () => this.#recovered())
    world.log('scenario', 'all have recovered')
    if (this.#awayForMs > 0) await this.#goAway()
    await this.#within(endedWithinMs, 'every send has ended', () => this.#allEnded())
    await this.#within(storedWithinMs, 'all that was written is stored', () => this.#audit.unreceived().length === 0)
    this.#audit.finish()
    if (world.violation !== undefined) throw world.violation
    world.log('scenario', 'over')
  }

  /** Nothing else goes wrong, but now and then a worker dies in the midst of it. */
  async #goAway(): Promise<void> {
    const { world, chance, whatsapp, platform } = this.#targets
    inflictOutage(this.#targets, true)
    world.log('scenario', `WhatsApp is away for ${this.#awayForMs / 60_000} minutes`)
    const untilCrashMs = this.#awayForMs * chance.next()
    await this.#pass(untilCrashMs)
    const worker = chance.happens(0.5) ? chance.pick(platform.workers) : undefined
    if (worker !== undefined) platform.crash(worker, chance.happens(0.5))
    await this.#pass(this.#awayForMs - untilCrashMs)
    whatsapp.service = 'up'
    world.log('scenario', 'WhatsApp is back')
    await this.#within(returnedWithinMs, 'every linked connection is connected again', () => this.#recovered())
  }

  #create(): void {
    const { chance, cloud, whatsapp } = this.#targets
    const count = this.#options.connections ?? chance.whole(2, 8)
    for (let i = 0; i < count; i++) {
      const ref: ConnectionRef = { businessProfileId: `bp_${i % 2}`, connectionId: `con_${i}` }
      whatsapp.add(ref, numbers.map(chatOf))
      cloud.create(ref, i % partitionCount)
    }
  }

  /** People look at their screens now and then, and scan what is shown. */
  #scan(): void {
    const { world, chance, whatsapp } = this.#targets
    world.after(chance.between(500, 3_000), () => {
      for (const device of whatsapp.devices.values()) whatsapp.scan(device)
      this.#scan()
    })
  }

  #inflict(): void {
    const { world, chance } = this.#targets
    const some = faultKinds.filter(() => chance.happens(0.5))
    const kinds = this.#options.faults ?? (some.length === 0 ? faultKinds : some)
    const everyMs = this.#options.faultEveryMs ?? chance.between(1_500, 15_000)
    world.log('scenario', `faults: ${kinds.join(', ')}; one in ${Math.round(everyMs)} ms`)
    const next = () => {
      if (!this.#faulty) return
      inflict(chance.pick(kinds) ?? 'crash', this.#targets)
      world.after(chance.between(0, 2 * everyMs), next)
    }
    next()
  }

  /** What goes on meanwhile: sends, people who write and read, devices linked again. */
  #live(): void {
    const { world, chance, cloud, whatsapp } = this.#targets
    const everyMs = this.#options.trafficEveryMs ?? chance.between(100, 2_500)
    let written = 0
    const next = () => {
      if (!this.#faulty) return
      const device = chance.pick([...whatsapp.devices.values()])
      const to = chance.pick(numbers)
      if (device !== undefined && to !== undefined) {
        const roll = chance.next()
        const expiresInMs = chance.between(15_000, chance.happens(0.5) ? 60_000 : 300_000)
        if (roll < 0.52) void cloud.send(device.ref, to, expiresInMs)
        else if (roll < 0.57) void cloud.send(device.ref, to, expiresInMs, chance.between(1_000, 180_000))
        else if (roll < 0.62) void cloud.cancel()
        else if (roll < 0.85) whatsapp.write(device, chatOf(to), `in-${++written}`)
        else whatsapp.read(device, chatOf(to))
      }
      world.after(chance.between(0, 2 * everyMs), next)
    }
    next()
  }

  /** What operators do: they restart what asks for it. A quarantine ends by itself. */
  #operate(): void {
    const { world, cloud, whatsapp } = this.#targets
    world.after(20_000, () => {
      for (const { ref } of whatsapp.devices.values()) {
        if (this.#tables.connections.get(keyOf(ref))?.remedy === 'stop_other_session') cloud.command(ref, 'restart')
      }
      this.#operate()
    })
  }

  #allEnded(): boolean {
    return this.#targets.cloud.callers === 0 && this.#audit.unended().length === 0
  }

  #recovered(): boolean {
    return [...this.#targets.whatsapp.devices.values()].every((device) => {
      const row = this.#tables.connections.get(keyOf(device.ref))
      if (row === undefined) return true
      if (row.command !== undefined && row.command.commandId !== row.handledCommandId) return false
      if (device.identity === undefined) return row.status === 'disconnected' || row.status === 'qr_pending'
      if (row.reason === 'logged_out') return true
      return this.#isConnected(device)
    })
  }

  #isConnected(device: Device): boolean {
    const row = this.#tables.connections.get(keyOf(device.ref))
    const owner = device.session?.link.thread.process
    if (row === undefined || owner === undefined || !owner.alive) return false
    const partition = this.#fleet.partitions.get(row.partition)
    return row.status === 'connected' && partition?.owner === owner.name && row.epoch === partition.epoch
  }

  #pass(forMs: number): Promise<boolean> {
    return this.#world.pass(forMs, () => this.#audit.step())
  }

  async #within(ms: number, what: string, holds: () => boolean): Promise<void> {
    let askedAt = Number.NEGATIVE_INFINITY
    const until = () => {
      if (this.#world.now - askedAt < 250) return false
      askedAt = this.#world.now
      return holds()
    }
    if (await this.#world.pass(ms, () => this.#audit.step(), until)) return
    this.#world.violated(invariants.recovers, `not within ${ms / 1_000} s: ${what}`)
    for (const device of this.#targets.whatsapp.devices.values()) {
      const row = this.#tables.connections.get(keyOf(device.ref))
      const session = device.session?.link.thread.process.name ?? 'nobody'
      const linked = device.identity === undefined ? 'not linked' : 'linked'
      this.#world.log('state', `${device.ref.connectionId} ${linked}: ${row?.status}/${row?.reason}, by ${session}`)
    }
    throw this.#world.violation
  }
}

const numbers = ['+94770000001', '+94770000002'] as const

function chatOf(number: string): string {
  return `${number.slice(1)}@s.whatsapp.net`
}
