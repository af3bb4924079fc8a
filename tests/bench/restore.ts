/** A worker is killed and started again: from the start of the process to the last login, beside plain Baileys. */
import { setTimeout as delay } from 'node:timers/promises'
import { assertOriginalCurve, baselineOf } from './baseline.ts'
import { type NodeProcess, stopAll } from './children.ts'
import { linkedDevices } from './linked-devices.ts'
import type { BenchOptions } from './options.ts'
import { cpuSeconds } from './process-figures.ts'
import { startQuickServices } from './quick-services.ts'
import type { Figures, Target } from './report.ts'
import { type Simulator, startSimulator } from './simulator.ts'
import { restoredAll, startStack } from './stack.ts'

const ratioTarget: Target = { of: 'ratio', atMost: 0.4 }
const restartTarget: Target = { of: 'figure', atMost: 5 }
/** The scenario of a quick restart. */
const restartConnections = 100
const credsSavedMs = 3_000

export async function restore(
  { connections, runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  for (const count of connections === undefined ? [restartConnections, 1_000] : [connections]) {
    await restoreOf(count, runs, figures, progress)
  }
}

async function restoreOf(
  count: number,
  runs: number,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const linked = await linkedDevices(count, progress)
  const [simulator, stack] = await Promise.all([startSimulator(linked.serverState()), startStack(startQuickServices)])
  const baseline = baselineOf(linked.devices)
  try {
    const { url, rootKey, control } = simulator
    progress(`storing ${count} connections`)
    await stack.store(linked.devices)

    const ours = async (measured: boolean): Promise<void> => {
      const start = () => stack.connector({ url, rootKey, maxConnections: Math.max(1_000, count) })
      const restored = await timeToLoggedIn(simulator, count, start)
      const { process: connector } = restored
      await restoredAll(connector, count)
      const { maxSocketsPerDevice, conflicts, loginRatePeak } = await control.stats()
      await stack.kill(connector)
      await control.emptied()
      progress(
        `holdfast: ${count} logged in after ${restored.seconds.toFixed(2)} s, ${restored.cpu.toFixed(1)} s of CPU`,
      )
      if (!measured) return
      const target = count === restartConnections ? restartTarget : ratioTarget
      figures.add('holdfast', count, 'all logged in after start', 's', restored.seconds, target)
      figures.add('holdfast', count, 'CPU of the process by then', 's', restored.cpu)
      figures.add('holdfast', count, 'logins in a second, peak', 'logins/s', loginRatePeak)
      figures.add('holdfast', count, 'sockets per device, peak', 'sockets', maxSocketsPerDevice, {
        of: 'figure',
        atMost: 1,
      })
      figures.add('holdfast', count, 'conflicts', 'conflicts', conflicts, { of: 'figure', atMost: 0 })
    }
    const theirs = async (): Promise<void> => {
      const restored = await timeToLoggedIn(simulator, count, () => baseline.start({ url, rootKey, count }))
      await assertOriginalCurve(restored.process)
      const { loginRatePeak } = await control.stats()
      await restored.process.says('all were open', ({ event }) => event === 'all open')
      // It writes creds in place: killed half-way, the device would be lost to the next run.
      await delay(credsSavedMs)
      await restored.process.end()
      await control.emptied()
      progress(
        `baseline: ${count} logged in after ${restored.seconds.toFixed(2)} s, ${restored.cpu.toFixed(1)} s of CPU`,
      )
      figures.add('baseline', count, 'all logged in after start', 's', restored.seconds)
      figures.add('baseline', count, 'CPU of the process by then', 's', restored.cpu)
      figures.add('baseline', count, 'logins in a second, peak', 'logins/s', loginRatePeak)
    }

    // What is killed in the first run has been running, as in every other.
    await ours(false)
    for (let run = 0; run < runs; run++) {
      progress(`run ${run + 1} of ${runs}, ${count} connections`)
      if (run % 2 === 0) {
        await ours(true)
        await theirs()
      } else {
        await theirs()
        await ours(true)
      }
    }
  } finally {
    await stopAll(stack, simulator)
    baseline.dispose()
    linked.dispose()
  }
}

interface Restored {
  readonly process: NodeProcess
  readonly seconds: number
  readonly cpu: number
}

async function timeToLoggedIn(simulator: Simulator, count: number, start: () => NodeProcess): Promise<Restored> {
  const { control } = simulator
  await control.resetStats()
  const { atMs } = await control.loggedIn(count, 60_000 + count * 150)
  const process = start()
  const failed = process.exited.then((code) => {
    throw new Error(`${process.name} ended with ${code} before all ${count} were logged in`)
  })
  failed.catch(() => undefined)
  const loggedInAt = await Promise.race([atMs, failed])
  return { process, seconds: (loggedInAt - process.spawnedAt) / 1_000, cpu: cpuSeconds(process.pid) }
}
