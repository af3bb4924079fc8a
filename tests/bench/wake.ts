/**
 * A send to a connection that is down: its five attempts are spent and nobody tries any more. From the acceptance of the send until
 * the phone has shown it, beside the same for a connection that is open. Plain Baileys has nothing to compare with: it throws.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { acceptSend } from '../../functions/sends/accept-send.ts'
import { sendMessageSchema } from '../../shared/api/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { stopAll } from './children.ts'
import { type LinkedDevice, linkedDevices } from './linked-devices.ts'
import type { BenchOptions } from './options.ts'
import { startQuickServices } from './quick-services.ts'
import { type Figures, median, percentile } from './report.ts'
import { type SimulatorControl, startSimulator } from './simulator.ts'
import { type Accepting, restoredAll, startStack } from './stack.ts'

/** The series of five, in seconds rather than minutes: what is measured begins after it. */
const backoff = { BACKOFF_BASE_MS: '50' }
const contact = '16680000001'
const withinMs = 60_000
const lookEveryMs = 25

export async function wake(
  { connections = 20, runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const linked = await linkedDevices(connections, progress)
  const [simulator, services] = await Promise.all([startSimulator(linked.serverState()), startQuickServices()])
  const stack = await startStack(async () => services)
  const { url, rootKey, control } = simulator
  try {
    await control.call('POST', '/phones', { phoneNumber: contact })
    const refs = await stack.store(linked.devices)
    for (let run = 0; run < runs; run++) {
      const connector = stack.connector({ url, rootKey, maxConnections: 1_000, settings: backoff })
      await restoredAll(connector, connections)
      const open: number[] = []
      const down: number[] = []
      for (const [index, ref] of refs.entries()) {
        const device = linked.devices[index] as LinkedDevice
        // The first one makes the contact known, so that what is compared differs by the connection alone.
        await requestToPhone(control, stack.accepting, ref)
        open.push(await requestToPhone(control, stack.accepting, ref))
        const { id } = await control.call('POST', '/faults', {
          kind: 'failure',
          reason: 503,
          target: { phoneNumber: device.phoneNumber.replace('+', '') },
          ms: withinMs,
        })
        await spent(stack.accepting, ref)
        await control.call('DELETE', `/faults/${id}`)
        down.push(await requestToPhone(control, stack.accepting, ref))
      }
      progress(
        `run ${run + 1} of ${runs}: open ${median(open).toFixed(0)} ms, down ${median(down).toFixed(0)} ms (medians)`,
      )
      for (const [name, times] of [
        ['open', open],
        ['down, attempts spent', down],
      ] as const) {
        figures.add(
          'holdfast',
          connections,
          `from the request to the phone, connection ${name}: median`,
          'ms',
          median(times),
        )
        figures.add('holdfast', connections, `the same, 95th percentile: ${name}`, 'ms', percentile(times, 95))
      }
      await connector.end('SIGTERM')
      await control.emptied()
    }
  } finally {
    await stopAll(stack, simulator)
    linked.dispose()
  }
}

/** Milliseconds until the phone has decrypted it. */
async function requestToPhone(control: SimulatorControl, accepting: Accepting, ref: ConnectionRef): Promise<number> {
  const message = sendMessageSchema.parse({ to: `+${contact}`, type: 'text', text: { body: 'On its way.' } })
  const { atMs } = await control.shownOn(contact, withinMs)
  const requestedAt = Date.now()
  const outcome = await acceptSend(accepting, ref, message, undefined, requestedAt)
  if (outcome.kind !== 'accepted') throw new Error(`a send was not accepted: ${outcome.kind}`)
  return (await atMs) - requestedAt
}

/** Once nobody tries any more. */
async function spent({ connections }: Accepting, ref: ConnectionRef): Promise<void> {
  let shown: string | undefined
  for (const end = Date.now() + withinMs; Date.now() < end; await delay(lookEveryMs)) {
    const row = await connections.get(ref)
    shown = `${row?.status}/${row?.reason}`
    if (shown === 'disconnected/retries_exhausted') return
  }
  throw new Error(`${ref.connectionId}: expected disconnected/retries_exhausted within ${withinMs} ms, it is ${shown}`)
}
