import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  GivingBack,
  type Sample,
  defaultGivingBackSettings as settings,
} from '../../../connector/memory/giving-back.ts'

const mebibyte = 2 ** 20
const calm = 0.03
const busy = 0.8

/** A process whose samples a test makes up, one after the other. */
class Process {
  #sample: Sample = { at: 1_000, cpuMs: 5_000, residentBytes: 120 * mebibyte }
  readonly #givingBack = new GivingBack(settings, this.#sample)

  is(share: number, residentMiB: number): string {
    const { at, cpuMs } = this.#sample
    this.#sample = {
      at: at + settings.sampleMs,
      cpuMs: cpuMs + share * settings.sampleMs,
      residentBytes: residentMiB * mebibyte,
    }
    return this.#givingBack.look(this.#sample)
  }

  /** Until it says something else, as long as nothing changes. */
  staysFor(share: number, residentMiB: number): { readonly samples: number; readonly next: string } {
    for (let samples = 0; samples < 100; samples += 1) {
      const advice = this.is(share, residentMiB)
      if (advice !== 'stay') return { samples, next: advice }
    }
    return { samples: 100, next: 'stay' }
  }
}

describe('when to give memory back', () => {
  it('once the process is calm for two samples and has grown', () => {
    const process = new Process()
    expect(process.is(busy, 500)).toBe('stay')
    expect(process.is(calm, 500)).toBe('stay')
    expect(process.is(calm, 500)).toBe('save')
  })

  it('never while it is busy, nor for what a process holds from its start', () => {
    const process = new Process()
    expect(process.staysFor(busy, 500).next).toBe('stay')
    expect(new Process().staysFor(calm, 150).next).toBe('stay')
  })

  it('saves for its time, then not again for what is still held, and after a pause for what grew since', () => {
    const process = new Process()
    expect(process.staysFor(calm, 500)).toEqual({ samples: 1, next: 'save' })
    expect(process.staysFor(calm, 340)).toEqual({
      samples: settings.savingMs / settings.sampleMs - 1,
      next: 'stop_saving',
    })
    expect(process.staysFor(calm, 340).next).toBe('stay')
    expect(process.is(busy, 600)).toBe('stay')
    expect(process.staysFor(calm, 600).next).toBe('save')
  })

  it('stops at once when work comes, and begins again when that is done', () => {
    const process = new Process()
    expect(process.staysFor(calm, 500).next).toBe('save')
    expect(process.is(busy, 500)).toBe('stop_saving')
    const again = process.staysFor(calm, 500)
    expect(again.next).toBe('save')
    expect((again.samples + 1) * settings.sampleMs).toBeGreaterThanOrEqual(settings.pauseMs)
  })
})

describe('V8, asked to save memory', () => {
  it('gives back the pages of a burst, although the process goes on allocating', async () => {
    const child = spawn(
      process.execPath,
      ['--max-semi-space-size=16', fileURLToPath(new URL('burst.ts', import.meta.url))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const exited = once(child, 'exit')
    const lines: Record<string, number>[] = []
    for await (const line of createInterface(child.stdout)) lines.push(JSON.parse(line))
    expect((await exited)[0]).toBe(0)
    const [{ beforeMiB = 0, residentMiB = 0 } = {}] = lines
    expect(beforeMiB).toBeGreaterThan(250)
    expect(beforeMiB - residentMiB).toBeGreaterThan(100)
  })
})
