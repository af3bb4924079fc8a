/** One side of the bench of sends: what hands messages to WhatsApp, and how a burst of them is measured. */
import { setTimeout as delay } from 'node:timers/promises'
import { acceptSend } from '../../functions/sends/accept-send.ts'
import { sendMessageSchema } from '../../shared/api/messages.ts'
import type { Doorbell } from '../../shared/domain/stores/doorbell.ts'
import type { ConnectionRef, PartitionId } from '../../shared/domain/words.ts'
import { assertOriginalCurve, type Baseline } from './baseline.ts'
import type { NodeProcess } from './children.ts'
import { cpuSeconds } from './process-figures.ts'
import { ringAll } from './ring-all.ts'
import type { SimulatorControl } from './simulator.ts'
import type { Accepting } from './stack.ts'

export interface Send {
  /** Which of the side's devices sends it. */
  readonly device: number
  /** Digits. */
  readonly to: string
  readonly text: string
}

export interface Side {
  readonly process: NodeProcess
  /** Gets ready all that is not to be measured; what it returns hands over everything at once. */
  prepare(sends: readonly Send[]): Promise<() => Promise<void>>
}

/** The sends are accepted as the API accepts them; the doorbells of all of them ring together. */
export function ourSide(process: NodeProcess, accepting: Accepting, refs: readonly ConnectionRef[]): Side {
  return {
    process,
    async prepare(sends) {
      const rings: { readonly partition: PartitionId; readonly doorbell: Doorbell }[] = []
      const doorbells = {
        ring: async (partition: PartitionId, doorbell: Doorbell) => void rings.push({ partition, doorbell }),
      }
      // Each connection's in their order, connections side by side.
      await Promise.all(
        refs.map(async (ref, index) => {
          for (const { device, to, text } of sends) {
            if (device !== index) continue
            const message = sendMessageSchema.parse({ to: `+${to}`, type: 'text', text: { body: text } })
            const outcome = await acceptSend({ ...accepting, doorbells }, ref, message, undefined, Date.now())
            if (outcome.kind !== 'accepted') throw new Error(`a send was not accepted: ${outcome.kind}`)
          }
        }),
      )
      return () => ringAll(accepting, rings)
    },
  }
}

export async function plainSide(
  baseline: Baseline,
  at: { readonly url: string; readonly rootKey: string },
  count: number,
): Promise<Side> {
  const args = [at.url, at.rootKey, baseline.folder, '0', String(count)]
  const process = baseline.run('tests/bench/plain-sends-process.ts', args)
  await assertOriginalCurve(process)
  const { port } = await process.says('all were open', ({ event }) => event === 'all open')
  return {
    process,
    async prepare(sends) {
      const body = JSON.stringify(sends.map(({ device, to, text }) => [device, `${to}@s.whatsapp.net`, text]))
      return async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body })
        if (!answer.ok) throw new Error(`plain Baileys could not send: ${await answer.text()}`)
      }
    },
  }
}

export interface Burst {
  /** From the first ring to the last message at WhatsApp's server. */
  readonly seconds: number
  /** Of the sending process, until receipts and all that they make it do are done. */
  readonly cpu: number
}

const lookEveryMs = 25
const givenUpMs = 180_000
const quietMs = 400
/** Of a core: what an idle process takes. */
const quietShare = 0.06

export async function burst(control: SimulatorControl, side: Side, sends: readonly Send[]): Promise<Burst> {
  const go = await side.prepare(sends)
  await quiet(side.process)
  await control.resetStats()
  const before = cpuSeconds(side.process.pid)
  const started = performance.now()
  const handed = go()
  handed.catch(() => undefined)
  const seconds = await Promise.race([arrived(control, sends.length, started), handed.then(() => never)])
  await handed
  await quiet(side.process)
  const { messagesDistinct, messagesArrivedTwice, undecryptable } = await control.messageStats()
  if (messagesDistinct !== sends.length || messagesArrivedTwice > 0 || undecryptable > 0) {
    throw new Error(
      `of ${sends.length} messages ${messagesDistinct} arrived, ${messagesArrivedTwice} twice, ${undecryptable} undecryptable`,
    )
  }
  return { seconds, cpu: cpuSeconds(side.process.pid) - before }
}

const never = new Promise<number>(() => undefined)

async function arrived(control: SimulatorControl, count: number, started: number): Promise<number> {
  for (;;) {
    const { messagesDistinct } = await control.messageStats()
    const ms = performance.now() - started
    if (messagesDistinct >= count) return ms / 1_000
    if (ms > givenUpMs) throw new Error(`${messagesDistinct} of ${count} messages arrived within ${givenUpMs} ms`)
    await delay(lookEveryMs)
  }
}

/** Resolves once the process does nothing but what it does idle. */
async function quiet({ pid }: NodeProcess): Promise<void> {
  for (const end = performance.now() + givenUpMs; performance.now() < end; ) {
    const before = cpuSeconds(pid)
    await delay(quietMs)
    if (cpuSeconds(pid) - before <= (quietMs / 1_000) * quietShare) return
  }
  throw new Error('the sending process does not come to rest')
}
