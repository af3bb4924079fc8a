import { transition } from '../../shared/domain/lifecycle.ts'
import {
  type Circumstances,
  dueAt,
  type Effect,
  initialState,
  type LifecycleEvent,
  type LifecycleState,
} from '../../shared/domain/lifecycle-state.ts'
import type { Clock, Timer } from '../ports.ts'

export interface LifecycleRunnerOptions {
  readonly clock: Clock
  /** What a decision depends on, read anew for each. */
  readonly circumstances: () => Circumstances
  readonly perform: (effect: Effect) => void
  /** After each event, when its effects are under way. */
  readonly changed: (before: LifecycleState, effects: readonly Effect[]) => void
  /** An effect or a transition threw: a bug. */
  readonly failed: (error: unknown) => void
}

/**
 * Feeds the lifecycle one event at a time: what an effect brings about at once waits until its own event is done. Keeps the one
 * timer that a phase can have.
 */
export class LifecycleRunner {
  readonly #options: LifecycleRunnerOptions
  readonly #events: LifecycleEvent[] = []
  #state: LifecycleState = initialState
  #running = false
  #over = false
  #timer: Timer | undefined
  #timerDueAt: number | undefined

  constructor(options: LifecycleRunnerOptions) {
    this.#options = options
  }

  get state(): LifecycleState {
    return this.#state
  }

  dispatch(event: LifecycleEvent): void {
    this.#events.push(event)
    if (this.#running) return
    this.#running = true
    try {
      while (!this.#over) {
        const next = this.#events.shift()
        if (next === undefined) break
        this.#step(next)
      }
    } catch (error) {
      this.#options.failed(error)
    } finally {
      this.#running = false
    }
  }

  /** At once: no further effects, no timer. */
  end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#state = { ...this.#state, phase: { kind: 'ended' } }
  }

  #step(event: LifecycleEvent): void {
    const before = this.#state
    const { state, effects } = transition(before, event, this.#options.circumstances())
    this.#state = state
    for (const effect of effects) {
      if (this.#over) return
      this.#options.perform(effect)
    }
    if (this.#over) return
    this.#setTimer()
    this.#options.changed(before, effects)
  }

  #setTimer(): void {
    const due = dueAt(this.#state)
    if (due === this.#timerDueAt) return
    const { clock } = this.#options
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerDueAt = due
    if (due === undefined) return
    this.#timer = clock.after(Math.max(0, due - clock.now()), () => {
      this.#timerDueAt = undefined
      this.dispatch({ kind: 'due' })
    })
  }
}
