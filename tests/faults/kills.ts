/**
 * Kills workers at random moments while connections send and receive.
 *
 *   node tests/faults/kills.ts [--kills 200] [--connections 20] [--workers 1] [--seed N]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { AuthStorage } from './auth-storage.ts'
import { Fleet, type Line, ok } from './fleet.ts'
import { seeded } from './seeded.ts'
import { Traffic } from './traffic.ts'

export interface KillsOptions {
  readonly kills: number
  readonly workers: number
  readonly seed: number
  readonly progress?: (message: string) => void
}

export interface KillsReport {
  readonly messages: number
  /** In words; none is what is promised. */
  readonly problems: readonly string[]
  /** Connections that a restart command had to lift from quarantine: killed three times in a row while they opened. */
  readonly quarantined: number
}

/** Only a hang meets it, on a machine that does other work besides. */
const recoverMs = 180_000
/** Between two kills, at most: long enough for a restore to be over now and then, short enough to hit one. */
const gapMaxMs = 4_000

export async function killAtRandomMoments(
  fleet: Fleet,
  storage: AuthStorage,
  lines: readonly Line[],
  options: KillsOptions,
): Promise<KillsReport> {
  const { kills, workers, seed, progress = () => undefined } = options
  const random = seeded(seed)
  const before = await fleet.stats()
  const identities = await identitiesOf(fleet, storage, lines)
  const traffic = await Traffic.start(fleet, lines, { name: `kills ${seed}`, random, pauseMs: 1_000 })
  for (let kill = 1; kill <= kills; kill += 1) {
    const tasks = await fleet.tasks()
    const task = tasks[Math.floor(random() * tasks.length)]
    if (task !== undefined) {
      // The moment is what is drawn: while it takes partitions, restores, sends and receives.
      await fleet.isUp(task)
      await delay(gapMaxMs * random())
      if ((await fleet.tasks()).some(({ taskId }) => taskId === task.taskId)) await fleet.kill(task)
    }
    // The platform waits longer and longer before it replaces what ends early; a scaling call does not.
    ok(await fleet.place.control.post('/services/connector/scale', { desiredCount: workers }))
    if (kill % 10 === 0) progress(`${kill} kills, ${traffic.accepted} messages accepted`)
  }
  const quarantined = await settled(fleet, lines)
  const problems = [...(await traffic.settle(recoverMs))]
  const after = await fleet.stats()
  for (const name of ['pairings', 'decryptFailures', 'undecryptable', 'resendsRequested', 'conflicts'] as const) {
    if (after[name] !== before[name]) problems.push(`${name}: ${after[name]}, was ${before[name]} before`)
  }
  if (after.maxSocketsPerDevice !== 1) problems.push(`${after.maxSocketsPerDevice} sockets of one device`)
  const now = await identitiesOf(fleet, storage, lines)
  for (const [device, identity] of identities) {
    if (now.get(device) !== identity) problems.push(`${device} has another identity`)
  }
  return { messages: traffic.accepted, problems, quarantined }
}

/** Until all are connected; who stopped its worker three times in a row while opening needs a word. */
async function settled(fleet: Fleet, lines: readonly Line[]): Promise<number> {
  let quarantined = 0
  for (const line of lines) {
    for (;;) {
      const { status, reason, version } = await fleet.show(line.connectionId)
      if (status === 'connected') break
      if (reason === 'quarantined') {
        quarantined += 1
        await fleet.restart(line)
      }
      await fleet.observer.connection(line.connectionId, 'the next status', () => true, {
        after: version,
        boundMs: recoverMs,
      })
    }
  }
  return quarantined
}

async function identitiesOf(fleet: Fleet, storage: AuthStorage, lines: readonly Line[]) {
  const identities = new Map<string, string>()
  for (const { device, connectionId } of lines) {
    identities.set(device, await storage.identity(fleet.businessProfileId, connectionId))
  }
  return identities
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' },
      connections: { type: 'string', default: '20' },
      workers: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  })
  const [kills, connections, workers, seed] = [values.kills, values.connections, values.workers, values.seed].map(
    Number,
  )
  if (!kills || !connections || !workers || seed === undefined || Number.isNaN(seed)) {
    process.stderr.write('expected whole numbers above 0: --kills, --connections, --workers, --seed\n')
    return 2
  }
  const progress = (message: string) => void process.stderr.write(`${message}\n`)
  progress(`seed ${seed}: ${kills} kills, ${connections} connections, ${workers} workers`)
  const fleet = await Fleet.start({ BACKOFF_BASE_MS: '500' }, { workers })
  const storage = new AuthStorage(fleet.place)
  try {
    const lines = await fleet.pair(connections)
    progress(`${lines.length} connections are linked`)
    const report = await killAtRandomMoments(fleet, storage, lines, { kills, workers, seed, progress })
    process.stdout.write(`${JSON.stringify({ seed, kills, connections, workers, ...report }, undefined, 2)}\n`)
    return report.problems.length === 0 ? 0 : 1
  } finally {
    storage.close()
    await fleet.stop()
  }
}

if (import.meta.main) process.exit(await main())
