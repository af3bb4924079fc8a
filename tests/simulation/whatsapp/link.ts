import type { Thread } from '../process.ts'
import type { Chance, World } from '../world.ts'
import type { ToClient, ToServer } from './protocol.ts'

/**
 * One TCP connection between a worker's thread and WhatsApp: frames arrive in order, each after some latency, until an end is
 * known to be broken. A dead link swallows everything while both ends believe in it.
 */
export class Link {
  readonly thread: Thread
  readonly #world: World
  readonly #chance: Chance
  #toServer: ((frame: ToServer) => void) | undefined
  #toClient: ((frame: ToClient) => void) | undefined
  #onBroken: (() => void) | undefined
  #dead = false
  #serverAt = 0
  #clientAt = 0

  constructor(world: World, chance: Chance, thread: Thread) {
    this.#world = world
    this.#chance = chance
    this.thread = thread
  }

  /** The server's end. */
  served(frame: (frame: ToServer) => void, broken: () => void): void {
    this.#toServer = frame
    this.#onBroken = broken
  }

  /** The client's end. */
  listened(frame: (frame: ToClient) => void): void {
    this.#toClient = frame
  }

  /** Bytes that leave the worker. */
  up(frame: ToServer): void {
    this.#serverAt = Math.max(this.#serverAt, this.#world.now + this.#latency())
    this.#world.after(this.#serverAt - this.#world.now, () => {
      if (!this.#dead) this.#toServer?.(frame)
    })
  }

  down(frame: ToClient): void {
    this.#clientAt = Math.max(this.#clientAt, this.#world.now + this.#latency())
    this.#world.after(this.#clientAt - this.#world.now, () => {
      if (!this.#dead) this.thread.deliver(() => this.#toClient?.(frame))
    })
  }

  /** The worker's side ended it: what is on its way still arrives, then the server knows, if anybody tells it. */
  hangUp(told: boolean): void {
    this.#toClient = undefined
    if (!told) return
    this.#serverAt = Math.max(this.#serverAt, this.#world.now + this.#latency())
    this.#world.after(this.#serverAt - this.#world.now, () => {
      if (!this.#dead) this.#onBroken?.()
    })
  }

  /** The network broke it, and says so at both ends or at none. */
  cut(noticed: boolean): void {
    if (this.#dead) return
    const toClient = this.#toClient
    this.#dead = true
    if (!noticed) return
    this.#onBroken?.()
    this.#world.after(this.#latency(), () => this.thread.deliver(() => toClient?.({ kind: 'end' })))
  }

  #latency(): number {
    return this.#chance.between(10, 60)
  }
}
