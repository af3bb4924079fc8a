import { describe, expect, it } from 'vitest'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type Mutation, type MutationKind, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

/**
 * Local mode runs the template, so that a wire which is missing in the template is missing on the laptop as well. One of each
 * kind here; `node tests/end-to-end/mutate-all.ts` removes every single one in turn.
 */
const examples: readonly { readonly kind: MutationKind; readonly name: RegExp }[] = [
  { kind: 'mapping', name: /LivePublishConnections/ },
  { kind: 'route', name: /POST \/connections\/\{connectionId\}\/messages$/ },
  { kind: 'grant', name: /TaskRole.* sqs:ReceiveMessage$/ },
  { kind: 'permission', name: /RestLiveTickets/ },
  { kind: 'environment', name: /Connector.* AUTH_BUCKET$/ },
]

describe('the story fails without', () => {
  it.each(examples)('one $kind: $name', async ({ kind, name }) => {
    let removed: Mutation | undefined
    const template = (stacks: readonly StackTemplate[]) => {
      removed = mutationsOf(stacks).find((mutation) => mutation.kind === kind && name.test(mutation.name))
      if (removed === undefined) throw new Error(`the template has no ${kind} like ${name}`)
      return removed.apply(stacks)
    }
    const run = async () => {
      const place = await startPlace({ template })
      const story = new Story(place, { stepMs: 6_000 })
      try {
        await story.all()
      } finally {
        story.close()
        await place.stop()
      }
    }
    await expect(run()).rejects.toThrow()
    expect(removed).toBeDefined()
  })
})
