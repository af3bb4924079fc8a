/**
 * Removes every wire of the synthesized template in turn and runs the story: `node tests/end-to-end/mutate-all.ts [PATTERN]`.
 * Prints a line for each and ends with those that nobody noticed; exits with 1 when there are any. Takes about 20 s for each.
 */
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type Mutation, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

async function templates(): Promise<readonly StackTemplate[]> {
  let found: readonly StackTemplate[] = []
  const place = await startPlace({
    template: (stacks) => {
      found = stacks
      return stacks
    },
  })
  await place.stop()
  return found
}

/** The first line of what went wrong without the wire, or undefined when the story came true all the same. */
async function noticed(mutation: Mutation): Promise<string | undefined> {
  let story: Story | undefined
  try {
    const place = await startPlace({ template: (stacks) => mutation.apply(stacks) })
    try {
      story = new Story(place, { stepMs: 8_000 })
      await story.all()
      return undefined
    } finally {
      story?.close()
      await place.stop()
    }
  } catch (error) {
    return String(error).split('\n')[0] ?? 'failed'
  }
}

const pattern = new RegExp(process.argv[2] ?? '')
const mutations = mutationsOf(await templates()).filter(({ kind, name }) => pattern.test(`${kind} ${name}`))
console.log(`${mutations.length} wires`)
const unnoticed: Mutation[] = []
for (const [at, mutation] of mutations.entries()) {
  const what = await noticed(mutation)
  if (what === undefined) unnoticed.push(mutation)
  console.log(`${at + 1}/${mutations.length} ${mutation.kind} ${mutation.name}: ${what ?? 'NOT NOTICED'}`)
}
console.log(unnoticed.length === 0 ? 'every removal was noticed' : `${unnoticed.length} not noticed:`)
for (const { kind, name } of unnoticed) console.log(`  ${kind} ${name}`)
process.exit(unnoticed.length === 0 ? 0 : 1)
