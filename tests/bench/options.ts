import { parseArgs } from 'node:util'

export const benches = ['restore', 'failover', 'memory', 'media', 'live', 'sends', 'wake', 'cost'] as const
export type BenchName = (typeof benches)[number]

export const usage = `Measures the product beside plain Baileys, in the same run, against the same simulated WhatsApp server.

  npm run bench -- restore|failover|memory|media|live|sends|wake|cost [options]

  restore    a worker is killed and started again: how long until all its connections are logged in
  failover   one of two workers is killed; both are replaced in a rolling deployment: how long each connection is away
  memory     what an idle connection holds
  media      a document of 100 MiB up and down: what the worker's memory grows by, against itself right before
  live       from a change of status to the frames of many watchers, and a burst of 5,000 changes
  wake       a send to a connection that is down: from the request until the phone shows it
  sends      messages to known and to new contacts, all at once; CPU and requests to AWS of each
  cost       what idle connections, sends, received messages and changes of status make AWS do, and its list price

  --connections N   restore, failover, sends and wake: so many; memory: from a tenth of N to N.
                    Default: restore 100 and 1000, failover 300, memory 1000, sends 50, wake 20
  --watchers N      live: so many. Default: 100, then 1000
  --runs N          of each scenario (default 3); medians count
  --write           cost: keeps the counts in tests/cost/counts.json and writes docs/cost.md
  --render          cost: writes docs/cost.md from the counts that are kept, and counts nothing
  --json FILE       writes the figures, with units, the baseline's beside them, and their ratio
  --help            this text

Devices are linked once and kept in .holdfast/bench: a thousand take some minutes.
`

export interface BenchOptions {
  readonly bench: BenchName
  /** Absent: as the bench has it. */
  readonly connections: number | undefined
  /** Absent: as the bench has it. */
  readonly watchers: number | undefined
  readonly runs: number
  readonly json: string | undefined
  readonly write: boolean
  readonly render: boolean
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'run'; readonly options: BenchOptions }

const connectionsMax = 10_000
const watchersMax = 5_000
const runsMax = 100

export function readCommand(args: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: {
        connections: { type: 'string' },
        watchers: { type: 'string' },
        runs: { type: 'string', default: '3' },
        json: { type: 'string' },
        write: { type: 'boolean', default: false },
        render: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    })
    if (values.help) return { kind: 'help' }
    const [name, ...more] = positionals
    const bench = benches.find((each) => each === name)
    if (bench === undefined || more.length > 0) {
      return { kind: 'refused', reason: `expected one of ${benches.join(', ')}, got "${positionals.join(' ')}"` }
    }
    const connections =
      values.connections === undefined ? undefined : whole('--connections', values.connections, 10, connectionsMax)
    const watchers = values.watchers === undefined ? undefined : whole('--watchers', values.watchers, 1, watchersMax)
    const runs = whole('--runs', values.runs, 1, runsMax)
    return {
      kind: 'run',
      options: { bench, connections, watchers, runs, json: values.json, write: values.write, render: values.render },
    }
  } catch (error) {
    return { kind: 'refused', reason: error instanceof Error ? error.message : String(error) }
  }
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Error(`${name} ${text}: expected a whole number from ${min} to ${max}`)
  }
  return value
}
