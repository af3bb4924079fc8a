import { SimulatedProcess } from './process.ts'
import { SimulatedWorker, type WorkerSurroundings } from './worker.ts'
import type { Chance } from './world.ts'

const stopTimeoutMs = 120_000

/** The service that keeps workers running: starts what ended again, rolls deploys, tells of deaths that it saw. */
export class Platform {
  readonly #surroundings: WorkerSurroundings
  readonly #chance: Chance
  readonly #onStopped: (workerId: string) => void
  readonly #size: number
  readonly #clockSpread: number
  #workers: SimulatedWorker[] = []
  #deployment = 1
  #names = 0

  constructor(
    surroundings: WorkerSurroundings,
    chance: Chance,
    options: {
      readonly workers: number
      /** 0.03: clocks run up to 3 % too fast or too slow. */
      readonly clockSpread: number
      /** A task stopped and its process had an exit code. */
      readonly stopped: (workerId: string) => void
    },
  ) {
    this.#surroundings = surroundings
    this.#chance = chance
    this.#size = options.workers
    this.#clockSpread = options.clockSpread
    this.#onStopped = options.stopped
  }

  get workers(): readonly SimulatedWorker[] {
    return this.#workers
  }

  start(): void {
    for (let i = 0; i < this.#size; i++)
      this.#surroundings.world.after(this.#chance.between(0, 2_000), () => this.#add())
  }

  /** kill -9, or the loss of a host, of which nobody tells. */
  crash(worker: SimulatedWorker, seen: boolean): void {
    this.#end(worker, seen, seen ? 'crashes' : 'is lost with its host')
  }

  /** New tasks first, then the old ones are asked to stop. */
  deploy(): void {
    const { world } = this.#surroundings
    const old = this.#workers.filter(({ stopping }) => !stopping)
    this.#deployment += 1
    world.log('platform', `deploys revision ${this.#deployment}`)
    for (let i = 0; i < this.#size; i++) world.after(this.#chance.between(500, 5_000), () => this.#add())
    world.after(this.#chance.between(5_000, 12_000), () => {
      for (const worker of old) this.#stop(worker)
    })
  }

  #add(): void {
    const { world } = this.#surroundings
    this.#names += 1
    const rate = 1 + this.#chance.between(-this.#clockSpread, this.#clockSpread)
    const process = new SimulatedProcess(world, `w${this.#names}`, rate)
    const worker: SimulatedWorker = new SimulatedWorker(process, this.#surroundings, {
      deployment: String(this.#deployment).padStart(6, '0'),
      chance: this.#chance.fork(),
      exit: (code) => this.#end(worker, true, `exits with code ${code}`),
    })
    world.log('platform', `starts ${process.name}, revision ${this.#deployment}`)
    this.#workers = [...this.#workers, worker]
    worker.start()
  }

  #stop(worker: SimulatedWorker): void {
    const { world } = this.#surroundings
    if (!worker.process.alive || worker.stopping) return
    world.log('platform', `asks ${worker.workerId} to stop`)
    worker.askToStop()
    world.after(stopTimeoutMs, () => this.#end(worker, true, 'is killed'))
  }

  #end(worker: SimulatedWorker, seen: boolean, how: string): void {
    const { world } = this.#surroundings
    if (!worker.process.alive) return
    world.log('platform', `${worker.workerId} ${how}`)
    worker.process.end()
    this.#workers = this.#workers.filter((other) => other !== worker)
    if (seen) world.after(this.#chance.between(500, 4_000), () => this.#onStopped(worker.workerId))
    world.after(this.#chance.between(1_000, 15_000), () => {
      if (this.#workers.filter(({ stopping }) => !stopping).length < this.#size) this.#add()
    })
  }
}
