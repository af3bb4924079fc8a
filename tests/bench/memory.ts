/** What an idle connection holds: the slope of resident memory from few connections to many, beside plain Baileys. */
import { setTimeout as delay } from 'node:timers/promises'
import { assertOriginalCurve, baselineOf } from './baseline.ts'
import { type NodeProcess, stopAll } from './children.ts'
import { linkedDevices } from './linked-devices.ts'
import type { BenchOptions } from './options.ts'
import { residentMiB } from './process-figures.ts'
import type { Figures, Target } from './report.ts'
import { startSimulator } from './simulator.ts'
import { restoredAll, startStack } from './stack.ts'

const target: Target = { of: 'ratio', atMost: 0.7 }
const flags = ['--expose-gc', '--import=./tests/bench/collect-garbage.ts']
/** What a login leaves to timers (buffered events, delayed closes) is done by then, and what a process gives back when calm is given back. */
const restMs = 45_000
const looks = 5
const lookEveryMs = 1_000

interface Held {
  /** The lowest seen over some seconds, as the process runs by itself. */
  readonly asItRuns: number
  /** After a full garbage collection. */
  readonly collected: number
}

export async function memory(
  { connections = 1_000, runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const few = Math.max(1, Math.round(connections / 10))
  const linked = await linkedDevices(connections, progress)
  const simulator = await startSimulator(linked.serverState())
  const baseline = baselineOf(linked.devices)
  const { url, rootKey, control } = simulator
  try {
    const ours = async (count: number): Promise<Held> => {
      const stack = await startStack()
      try {
        await stack.store(linked.devices.slice(0, count))
        const connector = stack.connector({ url, rootKey, maxConnections: Math.max(1_000, connections), node: flags })
        await restoredAll(connector, count)
        const held = await heldBy(connector)
        await stack.kill(connector)
        return held
      } finally {
        await stopAll(stack)
      }
    }
    const theirs = async (count: number): Promise<Held> => {
      const plain = baseline.start({ url, rootKey, count, node: flags })
      await assertOriginalCurve(plain)
      await plain.says('all were open', ({ event }) => event === 'all open')
      const held = await heldBy(plain)
      await plain.end()
      return held
    }
    for (let run = 0; run < runs; run++) {
      const sides = [
        ['holdfast', ours],
        ['baseline', theirs],
      ] as const
      for (const [side, measure] of run % 2 === 0 ? sides : sides.toReversed()) {
        const low = await measure(few)
        await control.emptied()
        const high = await measure(connections)
        await control.emptied()
        const slope = (from: number, to: number): number => (to - from) / (connections - few)
        const collected = slope(low.collected, high.collected)
        progress(`run ${run + 1} of ${runs}, ${side}: ${collected.toFixed(3)} MiB a connection`)
        const add = (name: string, unit: string, value: number, of?: Target) =>
          figures.add(side, connections, name, unit, value, of)
        add(`memory per idle connection, slope from ${few}`, 'MiB', collected, side === 'holdfast' ? target : undefined)
        add('the same, garbage not collected', 'MiB', slope(low.asItRuns, high.asItRuns))
        add('the whole process', 'MiB', high.collected)
        add('the whole process, garbage not collected', 'MiB', high.asItRuns)
      }
    }
  } finally {
    await stopAll(simulator)
    baseline.dispose()
    linked.dispose()
  }
}

async function heldBy(process: NodeProcess): Promise<Held> {
  await delay(restMs)
  let asItRuns = Number.POSITIVE_INFINITY
  for (let look = 0; look < looks; look++) {
    asItRuns = Math.min(asItRuns, residentMiB(process.pid))
    await delay(lookEveryMs)
  }
  // The first collection lets finalizers run, the second takes what they held.
  for (let collection = 1; collection <= 2; collection++) {
    process.child.kill('SIGUSR2')
    await collections(process, collection)
  }
  await delay(lookEveryMs)
  return { asItRuns, collected: residentMiB(process.pid) }
}

async function collections(process: NodeProcess, count: number): Promise<void> {
  const so = () => process.lines.filter(({ event }) => event === 'collected').length
  while (so() < count) await delay(50)
}
