/** `npm run simulate`: runs seed after seed, and ends at the first that breaks a promise. */
import { type CommandLine, readOptions, replayWords, UsageError, usage } from './options.ts'
import { type SimulationResult, simulate } from './simulate.ts'

const linesShown = 60
const progressMs = 5_000

async function run(options: CommandLine): Promise<number> {
  const startedAt = performance.now()
  const elapsedS = () => (performance.now() - startedAt) / 1_000
  let shownAt = startedAt
  let done = 0
  let virtualMs = 0
  const say = () => {
    const perSecond = (done / elapsedS()).toFixed(1)
    const hours = (virtualMs / 3_600_000).toFixed(1)
    const seeds = done === 1 ? '1 seed' : `${done} seeds`
    process.stdout.write(`${seeds}, ${perSecond} a second, ${hours} virtual hours: no promise broken\n`)
  }
  for (let seed = options.seed; done < options.runs && elapsedS() < options.minutes * 60; seed++) {
    const { connections, workers, awayMinutes, verbose } = options
    const result = await simulate(seed, {
      ...(connections === undefined ? {} : { connections }),
      ...(workers === undefined ? {} : { workers }),
      ...(awayMinutes === undefined ? {} : { awayForMs: awayMinutes * 60_000 }),
      ...(verbose ? { onLine: (line) => process.stdout.write(`${line}\n`) } : {}),
    })
    if (result.violation !== undefined) {
      report(result, options)
      return 1
    }
    done += 1
    virtualMs += result.virtualMs
    if (verbose) process.stdout.write(`seed ${seed}: log ${result.digest}\n`)
    if (performance.now() - shownAt < progressMs) continue
    shownAt = performance.now()
    say()
  }
  say()
  return 0
}

function report(result: SimulationResult, options: CommandLine): void {
  const lines = options.verbose ? [] : result.lines.slice(-linesShown)
  process.stdout.write(
    [
      ...lines,
      '',
      `Seed ${result.seed} broke a promise after ${(result.virtualMs / 1_000).toFixed(1)} virtual seconds:`,
      `  ${result.violation?.message}`,
      'Replay:',
      `  ${replayWords(result.seed, options)}`,
      '',
    ].join('\n'),
  )
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(usage)
  else process.exitCode = await run(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}
