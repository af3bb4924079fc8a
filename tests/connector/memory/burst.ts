/** A process that needs much for a moment, keeps a little of it, and goes on allocating: it prints what was given back, and ends. */
import { giveMemoryBack } from '../../../connector/memory/giving-back.ts'
import { processClock } from '../../../connector/process-clock.ts'

const settings = {
  sampleMs: 250,
  growthBytes: 32 * 2 ** 20,
  calmShare: 0.5,
  busyShare: Number.POSITIVE_INFINITY,
  savingMs: 14_000,
  pauseMs: 60_000,
}
const objects = 3_000_000
const keptOf = 100
const trickle = 20_000

const silent = () => undefined
const log = {
  debug: (fields: object) => {
    process.stdout.write(`${JSON.stringify(fields)}\n`, () => process.exit(0))
  },
  info: silent,
  warn: silent,
  error: silent,
  child: () => log,
}
giveMemoryBack(processClock, log, settings)

let all = Array.from({ length: objects }, (_, index) => ({ index, of: [index] }))
all = all.filter(({ index }) => index % keptOf === 0)
setInterval(() => all.map((kept) => ({ ...kept, trickle })), 20)
