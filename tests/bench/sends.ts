/**
 * Sends: to contacts that are known and to new ones, beside plain Baileys in the same run; what a message costs in CPU and in
 * requests to AWS. Each side has devices of its own: two copies of one device's sessions would spoil each other.
 */
import { perMessage } from './asked.ts'
import { baselineOf } from './baseline.ts'
import { stopAll } from './children.ts'
import { linkedDevices } from './linked-devices.ts'
import type { BenchOptions } from './options.ts'
import { startQuickServices } from './quick-services.ts'
import type { Figures, Target } from './report.ts'
import { burst, ourSide, plainSide, type Send, type Side } from './sending.ts'
import { startSimulator } from './simulator.ts'
import { restoredAll, startStack } from './stack.ts'

const knownTarget: Target = { of: 'ratio', atMost: 1 }
const newTarget: Target = { of: 'ratio', atMost: 0.5 }
/** Of each connection, in each run. */
const newContacts = 20
const messagesEach = 80

export async function sends(
  { connections = 50, runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const linked = await linkedDevices(2 * connections, progress)
  const devicesOf = (side: number) => linked.devices.slice(side * connections, (side + 1) * connections)
  const [simulator, services] = await Promise.all([startSimulator(linked.serverState()), startQuickServices()])
  const stack = await startStack(async () => services)
  const files = baselineOf(devicesOf(1))
  const { url, rootKey, control } = simulator
  let contactsMade = 0
  try {
    progress(`storing ${connections} connections`)
    const refs = await stack.store(devicesOf(0))

    const freshContacts = async (): Promise<string[]> => {
      const numbers = Array.from({ length: newContacts }, () => `1666${String(contactsMade++).padStart(7, '0')}`)
      await Promise.all(numbers.map((phoneNumber) => control.call('POST', '/phones', { phoneNumber })))
      return numbers
    }
    const firsts = (contacts: readonly string[]): Send[] =>
      contacts.flatMap((to, n) =>
        Array.from({ length: connections }, (_, device) => ({ device, to, text: `First message ${n}` })),
      )
    const more = (contacts: readonly string[]): Send[] =>
      Array.from({ length: messagesEach * connections }, (_, n) => ({
        device: n % connections,
        to: contacts[Math.floor(n / connections) % contacts.length] as string,
        text: `Message ${n}: the parcel is on its way, it arrives on Tuesday.`,
      }))

    const measured = async (name: string, side: Side, of: 'holdfast' | 'baseline'): Promise<void> => {
      const contacts = await freshContacts()
      await services.forget()
      const first = await burst(control, side, firsts(contacts))
      const firstCount = newContacts * connections
      progress(
        `${name}: ${firstCount} first messages in ${first.seconds.toFixed(2)} s, ${first.cpu.toFixed(2)} s of CPU`,
      )
      const known = await burst(control, side, more(contacts))
      const knownCount = messagesEach * connections
      progress(`${name}: ${knownCount} messages in ${known.seconds.toFixed(2)} s, ${known.cpu.toFixed(2)} s of CPU`)
      figures.add(of, connections, `${firstCount} first messages, all at WhatsApp after`, 's', first.seconds, newTarget)
      figures.add(
        of,
        connections,
        `${knownCount} messages to known contacts, all at WhatsApp after`,
        's',
        known.seconds,
        knownTarget,
      )
      figures.add(of, connections, 'CPU of a first message', 'ms', (first.cpu / firstCount) * 1_000)
      figures.add(of, connections, 'CPU of a message to a known contact', 'ms', (known.cpu / knownCount) * 1_000)
      if (of === 'baseline') return
      for (const { name: figure, unit, value } of perMessage(await services.asked(), firstCount + knownCount)) {
        figures.add(of, connections, figure, unit, value)
      }
    }

    const ours = async (): Promise<void> => {
      const connector = stack.connector({ url, rootKey, maxConnections: 1_000 })
      await restoredAll(connector, connections)
      await measured('holdfast', ourSide(connector, stack.accepting, refs), 'holdfast')
      await connector.end('SIGTERM')
      await control.emptied()
    }
    const theirs = async (): Promise<void> => {
      const side = await plainSide(files, { url, rootKey }, connections)
      await measured('plain Baileys', side, 'baseline')
      await side.process.end()
      await control.emptied()
    }
    for (let run = 0; run < runs; run++) {
      progress(`run ${run + 1} of ${runs}`)
      for (const side of run % 2 === 0 ? [ours, theirs] : [theirs, ours]) await side()
    }
  } finally {
    await stopAll(stack, simulator)
    files.dispose()
    linked.dispose()
  }
}
