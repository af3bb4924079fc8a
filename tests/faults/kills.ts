/**
 * Kills workers at random moments while connections send and receive.
 *
 *   node tests/faults/kills.ts [--kills 200] [--connections 20] [--workers 1] [--seed N]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ok } from './asking.ts'
import { AuthStorage } from './auth-storage.ts'
import { Fleet, type Line } from './fleet.ts'
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
  /** How often a connection was quarantined: killed three times in a row while it opened. It ends by itself. */
  readonly quarantines: number
}

/**
 * Shorter than in production, as the times between the kills are: with half a minute of a worker's life before a third test,
 * the unluckiest would sit out the whole series.
 */
export const killClocks = { BACKOFF_BASE_MS: '500', PROVEN_AFTER_MS: '2000', QUARANTINE_MS: '3000' }
/** Only a hang meets it, on a machine that does other work besides. */
const recoverMs = 180_000
/** From a worker's start to its end, at most: short enough to hit its restore. */
const gapMaxMs = 3_000
/** Kills that first let messages through: on a machine that does other work, a start may take up all of a gap. */
const flowingShare = 1 / 3

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
  let made = 0
  let scaling: Promise<unknown> = Promise.resolve()
  while (made < kills) {
    const tasks = await fleet.tasks()
    const task = tasks[Math.floor(random() * tasks.length)]
    if (task === undefined) {
      await delay(20)
      continue
    }
    // The moment is what is drawn: while it takes partitions, restores, sends and receives.
    await fleet.isUp(task)
    if (random() < flowingShare) {
      await traffic.flows(recoverMs).catch(async (error: Error) => {
        throw new Error(`${error.message}; now: ${(await statesOf(fleet, lines)).join(' | ')}`, { cause: error })
      })
    }
    await delay(gapMaxMs * random())
    if (!(await fleet.tasks()).some(({ taskId }) => taskId === task.taskId)) continue
    await fleet.kill(task)
    made += 1
    // The platform waits longer and longer before it replaces what ends early; a scaling call does not. Its answer comes once
    // the new worker is healthy, and is not waited for: that would spare its start.
    const scaled = fleet.place.control.post('/services/connector/scale', { desiredCount: workers }).then(ok)
    scaling = Promise.all([scaling, scaled])
    if (made % 10 === 0) progress(`${made} kills, ${traffic.accepted} messages accepted`)
    traffic.mustGoOn()
  }
  await scaling
  await allConnected(fleet, lines)
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
  return { messages: traffic.accepted, problems, quarantines: quarantinesOf(fleet, lines) }
}

async function statesOf(fleet: Fleet, lines: readonly Line[]): Promise<readonly string[]> {
  const rows = await Promise.all(lines.map((line) => fleet.show(line.connectionId)))
  return rows.map(({ status, reason, nextAttemptAt = '' }) => `${status}/${reason} ${nextAttemptAt}`)
}

/** Without a word of anybody's. */
async function allConnected(fleet: Fleet, lines: readonly Line[]): Promise<void> {
  for (const line of lines) {
    const { status, version } = await fleet.show(line.connectionId)
    if (status !== 'connected') await fleet.sees(line, 'connected', 'open', { after: version, boundMs: recoverMs })
  }
}

function quarantinesOf(fleet: Fleet, lines: readonly Line[]): number {
  const ids = new Set(lines.map(({ connectionId }) => connectionId))
  const seen = fleet.observer.frames.flatMap(({ connectionId, data }) =>
    connectionId !== undefined && ids.has(connectionId) && data.reason === 'quarantined' ? [data.nextAttemptAt] : [],
  )
  return new Set(seen).size
}

async function identitiesOf(fleet: Fleet, storage: AuthStorage, lines: readonly Line[]) {
  const identities = new Map<string, string>()
  for (const { device, connectionId } of lines) {
    identities.set(device, await storage.identity(fleet.businessProfileId, connectionId))
  }
  return identities
}

/** Of the log of a run that failed. */
const lastLines = 150

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
  const fleet = await Fleet.start(killClocks, { workers })
  const storage = new AuthStorage(fleet.place)
  try {
    const lines = await fleet.pair(connections)
    progress(`${lines.length} connections are linked`)
    const report = await killAtRandomMoments(fleet, storage, lines, { kills, workers, seed, progress })
    process.stdout.write(`${JSON.stringify({ seed, kills, connections, workers, ...report }, undefined, 2)}\n`)
    return report.problems.length === 0 ? 0 : 1
  } catch (error) {
    for (const { at, part, message } of fleet.place.local.logs().slice(-lastLines)) progress(`${at} ${part} ${message}`)
    throw error
  } finally {
    storage.close()
    await fleet.stop()
  }
}

if (import.meta.main) process.exit(await main())
