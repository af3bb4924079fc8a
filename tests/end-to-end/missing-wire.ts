import type { LocalOptions } from '../../local/engine/options.ts'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type Mutation, type MutationKind, mutationsOf } from './mutations.ts'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

export interface MissingWire {
  readonly kind: MutationKind
  readonly name: RegExp
  readonly noticed: RegExp
}

/** What the story says when the QR code does not reach the client. */
export const neverShown = /waited \d+ ms for whatsapp-qr/

/** What the story says without the first wire of that kind and name. @throws where the template has none */
export function failureWithout({ kind, name, noticed }: MissingWire): Promise<string> {
  let removed: Mutation | undefined
  const template = (stacks: readonly StackTemplate[]) => {
    removed = mutationsOf(stacks).find((mutation) => mutation.kind === kind && name.test(mutation.name))
    if (removed === undefined) throw new Error(`the template has no ${kind} like ${name}`)
    return removed.apply(stacks)
  }
  return failureOf(template, noticed === neverShown)
}

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
