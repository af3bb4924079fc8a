import { parseArgs } from 'node:util'

export interface CommandLine {
  /** The first one; the following runs take the following numbers. */
  readonly seed: number
  readonly runs: number
  /** Ends after so many minutes, whatever `runs` says. */
  readonly minutes: number
  readonly connections?: number
  readonly workers?: number
  /** WhatsApp is away for so long once the other faults are over. */
  readonly awayMinutes?: number
  readonly verbose: boolean
}

export const usage = `npm run simulate -- [options]

  --seed N          first seed (default: of this moment)
  --runs M          seeds to run, one after the other (default: 100, or without end with --minutes)
  --minutes T       stop after T minutes
  --connections C   connections per run (default: by seed, 2 to 8)
  --workers W       workers per run (default: by seed, 2 to 4)
  --away-minutes A  WhatsApp is away for so long at the end (default: an hour with each tenth seed)
  --verbose         print the log of every run

A seed that breaks a promise ends the command with code 1, and with the words that run it again.
`

export class UsageError extends Error {}

export function readOptions(args: readonly string[]): CommandLine | 'help' {
  const { values } = parse(args)
  if (values.help === true) return 'help'
  const number = (
    name: 'seed' | 'runs' | 'minutes' | 'connections' | 'workers' | 'away-minutes',
    min: number,
  ): number | undefined => {
    const text = values[name]
    if (text === undefined) return undefined
    const value = Number(text)
    if (!Number.isFinite(value) || value < min || (!name.endsWith('minutes') && !Number.isInteger(value))) {
      throw new UsageError(
        `--${name}: expected ${name.endsWith('minutes') ? 'a number' : 'a whole number'} from ${min}, got ${text}`,
      )
    }
    return value
  }
  const minutes = number('minutes', 0)
  const connections = number('connections', 1)
  const workers = number('workers', 1)
  const awayMinutes = number('away-minutes', 0)
  return {
    seed: number('seed', 0) ?? Math.floor(Date.now() / 1_000),
    runs: number('runs', 1) ?? (minutes === undefined ? 100 : Number.POSITIVE_INFINITY),
    minutes: minutes ?? Number.POSITIVE_INFINITY,
    ...(connections === undefined ? {} : { connections }),
    ...(workers === undefined ? {} : { workers }),
    ...(awayMinutes === undefined ? {} : { awayMinutes }),
    verbose: values.verbose === true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        runs: { type: 'string' },
        minutes: { type: 'string' },
        connections: { type: 'string' },
        workers: { type: 'string' },
        'away-minutes': { type: 'string' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The words that run a seed again, with what it depends on besides the seed. */
export function replayWords(seed: number, { connections, workers, awayMinutes }: CommandLine): string {
  const rest = [
    ...(connections === undefined ? [] : [`--connections ${connections}`]),
    ...(workers === undefined ? [] : [`--workers ${workers}`]),
    ...(awayMinutes === undefined ? [] : [`--away-minutes ${awayMinutes}`]),
  ]
  return ['npm run simulate --', `--seed ${seed}`, '--runs 1', ...rest, '--verbose'].join(' ')
}
