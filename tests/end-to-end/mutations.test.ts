import { describe, expect, it } from 'vitest'
import type { LocalOptions } from '../../local/engine/options.ts'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type Mutation, type MutationKind, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

/** What the story says when the QR code does not reach the client. */
const neverShown = /waited \d+ ms for whatsapp-qr/

/**
 * Local mode runs the template, so that a wire which is missing in the template is missing on the laptop as well. One of each
 * kind here; `node tests/end-to-end/mutate-all.ts` removes every single one in turn.
 */
const examples: readonly { readonly kind: MutationKind; readonly name: RegExp; readonly noticed: RegExp }[] = [
  { kind: 'mapping', name: /LivePublishConnections/, noticed: neverShown },
  { kind: 'route', name: /POST \/connections\/\{connectionId\}\/messages$/, noticed: /status: 405/ },
  { kind: 'grant', name: /TaskRole.* sqs:ReceiveMessage$/, noticed: neverShown },
  { kind: 'permission', name: /RestLiveTickets/, noticed: /server response: 401/ },
  { kind: 'environment', name: /Connector.* AUTH_BUCKET$/, noticed: /its tasks keep ending/ },
]

describe('the story does not get beyond its first message without', () => {
  it.each(examples)('one $kind: $name', async ({ kind, name, noticed }) => {
    let removed: Mutation | undefined
    const template = (stacks: readonly StackTemplate[]) => {
      removed = mutationsOf(stacks).find((mutation) => mutation.kind === kind && name.test(mutation.name))
      if (removed === undefined) throw new Error(`the template has no ${kind} like ${name}`)
      return removed.apply(stacks)
    }
    expect(await failureOf(template, noticed === neverShown)).toMatch(noticed)
    expect(removed).toBeDefined()
  })
})

/** What the story says without the wire. A stop that fails is no such thing: it fails the test. */
async function failureOf(template: NonNullable<LocalOptions['template']>, waitsInVain: boolean): Promise<string> {
  const started = await startPlace({ template, incomplete: true }).catch((error: unknown) => String(error))
  if (typeof started === 'string') return started
  const patience = { stepMs: 60_000 }
  const story = new Story(started, patience)
  const begins = async () => {
    await story.adminCreatesProfileAndKey()
    await story.clientWatches()
    // What is waited for from here on never comes where its wire is missing, however long the test waits.
    if (waitsInVain) patience.stepMs = 10_000
    await story.phoneIsLinkedByQr()
    await story.messageReachesThePhone('Your tea is ready.', 'order-1')
  }
  const failure = await begins().then(
    () => 'nothing: the story began well',
    (error: unknown) => String(error),
  )
  story.close()
  await started.stop()
  return failure
}
