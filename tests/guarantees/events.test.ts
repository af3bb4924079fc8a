import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { Endpoint } from '../end-to-end/endpoint.ts'
import { ok } from '../faults/asking.ts'
import { Fleet, type Line } from '../faults/fleet.ts'
import { seeded } from '../faults/seeded.ts'
import { Disturbance } from './disturbance.ts'
import { size } from './size.ts'

const { connections, workers, seed, strokes, inbound } = size
const timeout = 600_000

/** Lambda waits for a visibility timeout where the platform kills a function; here a shorter one. */
const impatient = (stacks: readonly StackTemplate[]): readonly StackTemplate[] =>
  stacks.map((stack) => {
    const template = structuredClone(stack.template) as {
      Resources: Record<string, { Type: string; Properties: object }>
    }
    for (const [logicalId, { Type, Properties }] of Object.entries(template.Resources)) {
      if (Type === 'AWS::SQS::Queue' && /^(?:WebhooksDoorbells|EventsRetries)/.test(logicalId))
        Object.assign(Properties, { VisibilityTimeout: 10 })
    }
    return { ...stack, template } as unknown as StackTemplate
  })

describe(`${inbound} messages come in on ${connections} connections, seed ${seed}`, { timeout }, () => {
  let fleet: Fleet
  let lines: readonly Line[]
  let endpoint: Endpoint

  beforeAll(async () => {
    fleet = await Fleet.start(
      { BACKOFF_BASE_MS: '300', STABLE_AFTER_MS: '2000', PROVEN_AFTER_MS: '2000', QUARANTINE_MS: '3000' },
      { workers, targets: 'any', template: impatient },
    )
    lines = await fleet.pair(connections)
    endpoint = await Endpoint.open()
    endpoint.secret = ok(
      await fleet.tenant.post('/webhooks', { url: endpoint.url, events: ['message-received'] }),
    ).secret
  }, timeout)
  afterAll(async () => {
    await fleet?.stop()
    await endpoint?.close()
  })

  it('while bus and webhook queue are down and workers are killed: none is lost, each stored and posted', async () => {
    const { local } = fleet.place
    const sinks = [
      local.injectFault({ service: 'events', how: { kind: 'refuse', status: 503 } }),
      local.injectFault({ service: 'sqs', caller: 'function Events', how: { kind: 'refuse', status: 503 } }),
      local.injectFault({ service: 'sqs', caller: 'function Webhooks', how: { kind: 'refuse', status: 503 } }),
    ]
    const perLine = Math.ceil(inbound / connections)
    const disturbance = new Disturbance(fleet, {
      workers,
      every: Math.max(1, Math.floor((perLine * connections) / (strokes + 1))),
      random: seeded(seed),
    })
    const sent = new Map(lines.map(({ connectionId }) => [connectionId, [] as string[]]))
    await Promise.all(
      lines.map(async ({ connectionId, phoneNumber }) => {
        const customer = await fleet.newPhone()
        for (let n = 0; n < perLine; n += 1) {
          const text = `to ${phoneNumber}: ${n}`
          await fleet.phones.send(customer, phoneNumber, text)
          sent.get(connectionId)?.push(text)
          await disturbance.progress()
        }
      }),
    )
    await disturbance.over()
    expect(disturbance.strokes).toBeGreaterThanOrEqual(strokes)
    await expect.poll(() => sinks[0]?.met, { timeout: 120_000 }).toBeGreaterThan(0)
    expect(endpoint.taken).toEqual([])
    for (const sink of sinks) sink.end()

    await endpoint.until(
      'all messages',
      (taken) => new Set(taken.map(({ id }) => id)).size >= perLine * connections,
      420_000,
    )
    expect(endpoint.invalid).toEqual([])
    const byConnection = endpoint.byConnection()
    for (const { connectionId } of lines) {
      const texts = (byConnection.get(connectionId) ?? []).map(
        ({ data }) => (data as { text?: { body: string } }).text?.body,
      )
      expect(texts.toSorted()).toEqual(sent.get(connectionId)?.toSorted())
      expect(new Set(texts).size).toBe(perLine)
    }
    expect(await fleet.stats()).toMatchObject({ undecryptable: 0, conflicts: 0 })
  })
})
