/** `npm run bench -- restore|failover|memory|media|live|sends|wake|cost`. */
import { baselineTitle } from './baseline.ts'
import { cost } from './cost.ts'
import { failover } from './failover.ts'
import { live } from './live.ts'
import { media } from './media.ts'
import { memory } from './memory.ts'
import { type BenchName, type BenchOptions, readCommand, usage } from './options.ts'
import { type Figures, printTable, report, writeJson } from './report.ts'
import { restore } from './restore.ts'
import { sends } from './sends.ts'
import { wake } from './wake.ts'

type Bench = (options: BenchOptions, figures: Figures, progress: (message: string) => void) => Promise<void>

const measures: Record<BenchName, Bench> = { restore, failover, memory, media, live, sends, wake, cost }

async function main(): Promise<number> {
  const args = process.argv.slice(2)
  const command = readCommand(args)
  switch (command.kind) {
    case 'help':
      process.stdout.write(usage)
      return 0
    case 'refused':
      process.stderr.write(`${command.reason}\n\n${usage}`)
      return 2
    case 'run': {
      const { options } = command
      const result = await report(options.bench, `npm run bench -- ${args.join(' ')}`, baselineTitle, (figures) =>
        measures[options.bench](options, figures, (message) => void process.stderr.write(`${clock()} ${message}\n`)),
      )
      printTable(result)
      if (options.json !== undefined) writeJson(options.json, result)
      return 0
    }
  }
}

function clock(): string {
  return new Date().toISOString().slice(11, 19)
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(1)
  },
)
