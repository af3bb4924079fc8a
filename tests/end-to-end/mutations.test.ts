import { describe, expect, it } from 'vitest'
import type { LocalOptions } from '../../local/engine/options.ts'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type Mutation, type MutationKind, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

/**
 * Local mode runs the template, so that a wire which is missing in the template is missing on the laptop as well. One of each
 * kind here; `node tests/end-to-end/mutate-all.ts` removes every single one in turn.
 */
const examples: readonly { readonly kind: MutationKind; readonly name: RegExp; readonly noticed: RegExp }[] = [
  { kind: 'mapping', name: /LivePublishConnections/, noticed: /waited \d+ ms for whatsapp-qr/ },
  { kind: 'route', name: /POST \/connections\/\{connectionId\}\/messages$/, noticed: /status: 405/ },
  { kind: 'grant', name: /TaskRole.* sqs:ReceiveMessage$/, noticed: /waited \d+ ms for whatsapp-qr/ },
  { kind: 'permission', name: /RestLiveTickets/, noticed: /server response: 401/ },
  { kind: 'environment', name: /Connector.* AUTH_BUCKET$/, noticed: /its tasks keep ending/ },
]

describe('the story fails without', () => {
  it.each(examples)('one $kind: $name', async ({ kind, name, noticed }) => {
    let removed: Mutation | undefined
    const template = (stacks: readonly StackTemplate[]) => {
      removed = mutationsOf(stacks).find((mutation) => mutation.kind === kind && name.test(mutation.name))
      if (removed === undefined) throw new Error(`the template has no ${kind} like ${name}`)
      return removed.apply(stacks)
    }
    expect(await failureOf(template)).toMatch(noticed)
    expect(removed).toBeDefined()
  })
})

/** What the story says without the wire. A stop that fails is no such thing: it fails the test. */
async function failureOf(template: NonNullable<LocalOptions['template']>): Promise<string> {
  const started = await startPlace({ template }).catch((error: unknown) => String(error))
  if (typeof started === 'string') return started
  const story = new Story(started, { stepMs: 15_000 })
  const failure = await story.all().then(
    () => 'nothing: the story came true',
    (error: unknown) => String(error),
  )
  story.close()
  await started.stop()
  return failure
}
