/**
 * Two workers share the connections. One is killed, with and without the platform knowing of its end; then both are replaced
 * by a rolling deployment. The server's own word says how long each connection was away. For the kills there is nothing to
 * compare with in plain Baileys, which has no second worker: what it can do is start again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { assertOriginalCurve, type Baseline, baselineOf } from './baseline.ts'
import { type NodeProcess, stopAll } from './children.ts'
import { linkedDevices } from './linked-devices.ts'
import type { BenchOptions } from './options.ts'
import { type Figures, percentile } from './report.ts'
import { type Simulator, startSimulator } from './simulator.ts'
import { SocketWatch } from './socket-watch.ts'
import { type Stack, startedAs, startStack } from './stack.ts'

const settleMs = 3_000
const withinMs = 120_000

interface Bed {
  readonly stack: Stack
  readonly simulator: Simulator
  readonly count: number
  readonly figures: Figures
  readonly progress: (message: string) => void
}

export async function failover(
  { connections: count = 300, runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const linked = await linkedDevices(count, progress)
  const [simulator, stack] = await Promise.all([startSimulator(linked.serverState()), startStack()])
  const baseline = baselineOf(linked.devices)
  const bed: Bed = { stack, simulator, count, figures, progress }
  try {
    await stack.store(linked.devices)
    for (let run = 0; run < runs; run++) {
      progress(`run ${run + 1} of ${runs}`)
      const steps = [
        () => killed(bed, 'known'),
        () => killed(bed, 'unknown'),
        () => replaced(bed),
        () => startedAgain(bed, baseline),
      ]
      for (const step of run % 2 === 0 ? steps : steps.toReversed()) await step()
    }
  } finally {
    await stopAll(stack, simulator)
    baseline.dispose()
    linked.dispose()
  }
}

/** `known`: the platform's task state change tells the fleet at once. `unknown`: the others have only the lease. */
async function killed({ stack, simulator, count, figures, progress }: Bed, end: 'known' | 'unknown'): Promise<void> {
  const { control } = simulator
  const workers = await twoWorkers(stack, simulator, count, '1')
  const [victim, other] = workers
  const held = await stack.heldBy(await startedAs(victim))
  await control.resetStats()
  const watch = await SocketWatch.over(control, count)
  const at = Date.now()
  if (end === 'known') await stack.kill(victim)
  else await victim.end()
  const backAt = await watch.allBack(held, withinMs)
  const seconds = (backAt - at) / 1_000
  await delay(settleMs)
  watch.stop()
  assertBack(watch, [other])
  const { maxSocketsPerDevice, conflicts } = await control.stats()
  const moved = watch.gapsMs().length
  progress(`killed, ${end} to the platform: ${moved} of ${count} moved, all back after ${seconds.toFixed(2)} s`)
  const name = end === 'known' ? 'one of two killed, exit known to the platform' : 'one of two killed, exit unknown'
  const add = (what: string, unit: string, value: number, atMost?: number) =>
    figures.add(
      'holdfast',
      count,
      `${name}: ${what}`,
      unit,
      value,
      atMost === undefined ? undefined : { of: 'figure', atMost },
    )
  add('the other has all after', 's', seconds, end === 'known' ? 6 : 20)
  add('connections that moved', 'connections', moved)
  add('sockets per device, peak', 'sockets', maxSocketsPerDevice, 1)
  add('conflicts', 'conflicts', conflicts, 0)
  await Promise.all([stack.kill(other), stack.kill(victim)])
  await control.emptied()
}

/** As ECS does it: the new tasks first; once they run, the old ones get SIGTERM. */
async function replaced({ stack, simulator, count, figures, progress }: Bed): Promise<void> {
  const { control } = simulator
  const old = await twoWorkers(stack, simulator, count, '1')
  await control.resetStats()
  const watch = await SocketWatch.over(control, count)
  const next = [connector(stack, simulator, count, '2'), connector(stack, simulator, count, '2')]
  await Promise.all(next.map(startedAs))
  const at = Date.now()
  const codes = await Promise.all(old.map((worker) => worker.end('SIGTERM')))
  const stoppedAfter = (Date.now() - at) / 1_000
  if (codes.some((code) => code !== 0)) throw new Error(`the old workers ended with ${codes.join(' and ')}`)
  await watch.allBack(count, withinMs)
  await delay(settleMs)
  watch.stop()
  assertBack(watch, next)
  const { maxSocketsPerDevice, conflicts } = await control.stats()
  const gaps = watch.gapsMs().map((gap) => gap / 1_000)
  const p95 = percentile(gaps, 95)
  progress(`rolling replacement: gap ${p95.toFixed(2)} s (95th percentile), done after ${stoppedAfter.toFixed(1)} s`)
  const add = (what: string, unit: string, value: number, atMost?: number) =>
    figures.add(
      'holdfast',
      count,
      `both replaced: ${what}`,
      unit,
      value,
      atMost === undefined ? undefined : { of: 'figure', atMost },
    )
  add("a connection's gap, 95th percentile", 's', p95, 3)
  add("a connection's gap, median", 's', percentile(gaps, 50))
  add("a connection's gap, longest", 's', Math.max(...gaps))
  add('times a connection moved, most', 'moves', watch.mostMoves())
  add('the old workers have stopped after', 's', stoppedAfter)
  add('sockets per device, peak', 'sockets', maxSocketsPerDevice, 1)
  add('conflicts', 'conflicts', conflicts, 0)
  await Promise.all(next.map((worker) => stack.kill(worker)))
  await control.emptied()
}

/**
 * What plain Baileys has: one process with them all, killed and started again at once. Not while it saves creds after a login:
 * it writes them in place, and what was killed half-way is a device lost.
 */
async function startedAgain({ simulator, count, figures, progress }: Bed, baseline: Baseline): Promise<void> {
  const { url, rootKey, control } = simulator
  const start = () => baseline.start({ url, rootKey, count })
  const first = start()
  await first.says('all were open', ({ event }) => event === 'all open')
  await delay(settleMs)
  const watch = await SocketWatch.over(control, count)
  const at = Date.now()
  await first.end()
  const again = start()
  await assertOriginalCurve(again)
  const seconds = ((await watch.allBack(count, withinMs)) - at) / 1_000
  watch.stop()
  const gaps = watch.gapsMs().map((gap) => gap / 1_000)
  progress(`baseline: killed and started again, all back after ${seconds.toFixed(2)} s`)
  figures.add('baseline', count, 'one of two killed, exit known to the platform: the other has all after', 's', seconds)
  figures.add('baseline', count, "both replaced: a connection's gap, 95th percentile", 's', percentile(gaps, 95))
  figures.add('baseline', count, "both replaced: a connection's gap, median", 's', percentile(gaps, 50))
  figures.add('baseline', count, "both replaced: a connection's gap, longest", 's', Math.max(...gaps))
  await again.end()
  await control.emptied()
}

function connector(stack: Stack, { url, rootKey }: Simulator, count: number, deployment: string): NodeProcess {
  return stack.connector({ url, rootKey, maxConnections: Math.max(1_000, count), deployment })
}

/** A bench of connections that do not stay is none: what the workers said of them is in the error. */
function assertBack(watch: SocketWatch, workers: readonly NodeProcess[]): void {
  const away = watch.away()
  if (away.length === 0) return
  const numbers = away.map((device) => `+${device.split(':')[0]}`)
  const said = workers
    .flatMap(({ lines }) => lines)
    .filter((line) => numbers.some((number) => JSON.stringify(line).includes(number)))
  throw new Error(`${away.join(', ')} did not stay:\n${said.map((line) => JSON.stringify(line)).join('\n')}`)
}

/** Two workers that hold all connections, in shares that no longer change. */
async function twoWorkers(
  stack: Stack,
  simulator: Simulator,
  count: number,
  deployment: string,
): Promise<readonly [NodeProcess, NodeProcess]> {
  const workers = [
    connector(stack, simulator, count, deployment),
    connector(stack, simulator, count, deployment),
  ] as const
  const ids = await Promise.all(workers.map(startedAs))
  let since = Date.now()
  let said = ''
  for (const end = Date.now() + withinMs; Date.now() - since < settleMs; await delay(200)) {
    const { partitions } = await stack.fleet.view()
    const { socketsOpen } = await simulator.control.stats()
    const now = JSON.stringify(partitions.map(({ owner }) => owner))
    const shared = socketsOpen === count && ids.every((id) => partitions.some(({ owner }) => owner === id))
    if (!shared || now !== said) since = Date.now()
    said = now
    if (Date.now() > end) throw new Error(`two workers did not share ${count} connections within ${withinMs} ms`)
  }
  return workers
}
