/**
 * V8 keeps pages that a burst of work (logins, many sends) needed, long after nothing lies in them: with 1,000 connections some
 * 200 MiB. Its memory reducer gives them back, but waits for a process that hardly allocates, which one with live sockets never is, unless
 * memory is to be saved. Saving always costs too much (a restore takes three times the CPU), so it is asked for when the process is calm and
 * larger than it was: V8 then makes two collections bit by bit, unmaps what is free, and is told to stop saving.
 */
import { setFlagsFromString } from 'node:v8'
import type { Clock, Log, Timer } from '../ports.ts'

const bytesPerMebibyte = 2 ** 20

export interface Sample {
  /** Milliseconds of the monotonic clock. */
  readonly at: number
  /** Of all threads, since the process began, in milliseconds. */
  readonly cpuMs: number
  readonly residentBytes: number
}

export interface GivingBackSettings {
  readonly sampleMs: number
  /** Growth since memory was last given back, from which on it is worth two collections. */
  readonly growthBytes: number
  /** Share of one core below which the process is calm; twice in a row, and it may save. */
  readonly calmShare: number
  /** Share of one core at which it stops saving. Above what the collections themselves take. */
  readonly busyShare: number
  /** V8's reducer begins within 8 s and is done some seconds later. */
  readonly savingMs: number
  /** From the end of one saving to the next. */
  readonly pauseMs: number
}

export const defaultGivingBackSettings: GivingBackSettings = {
  sampleMs: 5_000,
  growthBytes: 32 * bytesPerMebibyte,
  calmShare: 0.1,
  busyShare: 0.5,
  savingMs: 20_000,
  pauseMs: 60_000,
}

export type Advice = 'save' | 'stop_saving' | 'stay'

/** When to save memory, from how the process is each `sampleMs`. */
export class GivingBack {
  readonly #settings: GivingBackSettings
  #last: Sample
  /** The least resident memory since it was last given back. */
  #least: number
  #wasCalm = false
  #savingUntil: number | undefined
  #notBefore: number

  constructor(settings: GivingBackSettings, first: Sample) {
    this.#settings = settings
    this.#last = first
    this.#least = first.residentBytes
    this.#notBefore = first.at
  }

  look(sample: Sample): Advice {
    const { calmShare, busyShare, growthBytes, savingMs } = this.#settings
    const { at, residentBytes } = sample
    const share = (sample.cpuMs - this.#last.cpuMs) / Math.max(1, at - this.#last.at)
    this.#last = sample
    if (this.#savingUntil !== undefined) {
      if (share >= busyShare) return this.#stopSaving(at)
      if (at < this.#savingUntil) return 'stay'
      this.#least = residentBytes
      return this.#stopSaving(at)
    }
    this.#least = Math.min(this.#least, residentBytes)
    const calm = share < calmShare
    const calmForLong = calm && this.#wasCalm
    this.#wasCalm = calm
    if (!calmForLong || at < this.#notBefore || residentBytes < this.#least + growthBytes) return 'stay'
    this.#savingUntil = at + savingMs
    return 'save'
  }

  #stopSaving(at: number): Advice {
    this.#savingUntil = undefined
    this.#wasCalm = false
    this.#notBefore = at + this.#settings.pauseMs
    return 'stop_saving'
  }
}

/** For as long as the process runs, or until the returned function is called. */
export function giveMemoryBack(clock: Clock, log: Log, settings = defaultGivingBackSettings): () => void {
  const sample = (): Sample => {
    const { user, system } = process.cpuUsage()
    return { at: clock.monotonic(), cpuMs: (user + system) / 1_000, residentBytes: process.memoryUsage.rss() }
  }
  const first = sample()
  const givingBack = new GivingBack(settings, first)
  let before = first.residentBytes
  const look = (): void => {
    const now = sample()
    const advice = givingBack.look(now)
    if (advice === 'save') {
      before = now.residentBytes
      setFlagsFromString('--memory-saver-mode')
    } else if (advice === 'stop_saving') {
      setFlagsFromString('--no-memory-saver-mode')
      const mebibytes = (bytes: number): number => Math.round(bytes / bytesPerMebibyte)
      log.debug(
        { residentMiB: mebibytes(now.residentBytes), beforeMiB: mebibytes(before) },
        'Gave memory back to the system',
      )
    }
    timer = clock.after(settings.sampleMs, look)
  }
  let timer: Timer = clock.after(settings.sampleMs, look)
  return () => timer.cancel()
}
