/**
 * Removes every wire of the synthesized template in turn: `node tests/end-to-end/mutate-all.ts [PATTERN]`, after `npm test` and
 * `npm run test:scenarios`, which record what goes through the wires. Prints a line for each, with how it was noticed, and ends
 * with those that nobody noticed and that are not known; exits with 1 when there are any.
 *
 *   replayed   grants, permissions and routes of the REST API: what recorded runs asked for is judged again without the wire, by
 *              the code of local mode; a run in which something is refused fails
 *   started    entries of the environment: the function's bundle is loaded, or the connector's configuration read, without it
 *   run        mappings and routes of the live API: the product runs without it, and a story is told (`wire-story.ts`)
 */
import { join } from 'node:path'
import { createRingLog } from '../../local/engine/engine-log.ts'
import { synthesize } from '../../local/engine/synth.ts'
import { type Assembly, readAssembly } from '../../local/engine/template/assembly.ts'
import { readModel } from '../../local/engine/template/model.ts'
import type { Model } from '../../local/engine/template/specs.ts'
import { knownWire } from './known-wires.ts'
import { type Mutation, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Replay } from './replay.ts'
import { whyFunctionDoesNotStart, whyServiceDoesNotStart } from './starts.ts'
import { usedWires } from './used-wires.ts'
import { WireStory } from './wire-story.ts'

const root = join(import.meta.dirname, '../..')
/** Of the whole template, which is to come true, on a machine that does other work; and of one that waits in vain. */
const stepMs = { whole: 120_000, mutated: 20_000 }

const { directory } = await synthesize(
  root,
  join(root, '.holdfast/assemblies'),
  createRingLog(() => undefined),
)
const assembly = readAssembly(directory)
const modelOf = (stacks: Assembly['stacks']): Model =>
  readModel({ ...assembly, stacks }, { endpoint: 'http://127.0.0.1:1', secretString: () => 'unused' })
const whole = modelOf(assembly.stacks)

const used = usedWires()
const replay = new Replay(used, whole)
console.log(`${used.runs} runs are recorded, ${used.from.toISOString()} to ${used.to.toISOString()}: ${replay.size}`)

// A grant that was taken out of the template although runs need it is seen here, and only here.
for (const why of replay.leftOut) console.log(`  left out: ${why}`)

/** How it was noticed, in words; undefined when it was not. */
async function noticed(mutation: Mutation): Promise<string | undefined> {
  const stacks = () => mutation.apply(assembly.stacks)
  switch (mutation.kind) {
    case 'grant':
    case 'permission':
      return labelled('replayed', replay.refused(modelOf(stacks())))
    case 'route':
      return isRun(mutation)
        ? labelled('run', await tellStory(mutation))
        : labelled('replayed', replay.refused(modelOf(stacks())))
    case 'environment':
      return labelled('started', await doesNotStart(modelOf(stacks())))
    case 'mapping':
      return labelled('run', await tellStory(mutation))
  }
}

const labelled = (how: string, why: string | undefined): string | undefined => why && `${how}: ${why}`
const isRun = ({ kind, name }: Mutation): boolean =>
  kind === 'mapping' || (kind === 'route' && name.includes('/LiveWebSocketApi'))

/** Of the function or service whose environment is not that of the whole template. */
async function doesNotStart(model: Model): Promise<string | undefined> {
  for (const spec of model.functions) {
    const before = whole.functions.find(({ arn }) => arn === spec.arn)
    if (JSON.stringify(before?.environment) === JSON.stringify(spec.environment)) continue
    // That it does not start is noticed by whoever needs it, and only then.
    return replay.invoked(spec.arn) ? whyFunctionDoesNotStart(spec) : undefined
  }
  for (const service of model.services) {
    const before = whole.services.find(({ arn }) => arn === service.arn)
    if (JSON.stringify(before?.taskDefinition) !== JSON.stringify(service.taskDefinition)) {
      return whyServiceDoesNotStart(service)
    }
  }
  throw new Error('the environment of nothing has changed')
}

async function tellStory(mutation: Mutation | undefined): Promise<string | undefined> {
  try {
    const place = await startPlace({
      workers: 0,
      targets: 'any',
      ...(mutation && { incomplete: true, template: (stacks) => mutation.apply(stacks) }),
    })
    const story = new WireStory(place, mutation === undefined ? stepMs.whole : stepMs.mutated)
    try {
      await story.all()
      return undefined
    } finally {
      await story.close()
      await place.stop()
    }
  } catch (error) {
    return String(error).split('\n')[0] ?? 'failed'
  }
}

/** Without this, what is noticed below might be noticed of any template. */
async function demandTheWholeIsWell(isToldOf: boolean): Promise<void> {
  const faults = [
    replay.refused(whole),
    ...(await Promise.all(whole.functions.map(whyFunctionDoesNotStart))),
    ...whole.services.map(whyServiceDoesNotStart),
    ...(isToldOf ? [await tellStory(undefined)] : []),
  ].filter((fault) => fault !== undefined)
  if (faults.length > 0) throw new Error(`the whole template: ${faults.join('; ')}`)
}

const pattern = new RegExp(process.argv[2] ?? '')
const mutations = mutationsOf(assembly.stacks).filter(({ kind, name }) => pattern.test(`${kind} ${name}`))
const kinds = Map.groupBy(mutations, ({ kind }) => kind)
console.log(`${mutations.length} wires: ${[...kinds].map(([kind, those]) => `${kind} ${those.length}`).join(', ')}`)
await demandTheWholeIsWell(mutations.some(isRun))

const unexplained: Mutation[] = []
/** Listed, and noticed all the same: the list may be shorter, unless it was chance. */
const needless: Mutation[] = []
const counts = new Map<string, number>()
const count = (how: string): void => void counts.set(how, (counts.get(how) ?? 0) + 1)
for (const [at, mutation] of mutations.entries()) {
  const what = await noticed(mutation)
  const known = knownWire(mutation)
  const reason = what === undefined ? known?.why : undefined
  if (what !== undefined && known !== undefined) needless.push(mutation)
  if (what === undefined && reason === undefined) unexplained.push(mutation)
  count(what?.split(':')[0] ?? (reason === undefined ? 'NOT NOTICED' : 'known'))
  const said = what ?? (reason === undefined ? 'NOT NOTICED' : `not noticed: ${reason}`)
  console.log(`${at + 1}/${mutations.length} ${mutation.kind} ${mutation.name}: ${said}`)
}
console.log([...counts].map(([how, times]) => `${how} ${times}`).join(', '))
for (const { kind, name } of needless) console.log(`known, and noticed all the same: ${kind} ${name}`)
console.log(unexplained.length === 0 ? 'every removal was noticed, or is known' : `${unexplained.length} not noticed:`)
for (const { kind, name } of unexplained) console.log(`  ${kind} ${name}`)
process.exit(unexplained.length === 0 ? 0 : 1)
