import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { type ConnectorProcess, startStack } from './stack.ts'
import { startXRay } from './x-ray-receiver.ts'

// Each test waits for several processes to start.
vi.setConfig({ testTimeout: 180_000 })

/** Real processes over the emulators, in one story: each test goes on where the one before ended. */
let stack: Awaited<ReturnType<typeof startStack>>
let ref: ConnectionRef
const printed: string[] = []

beforeAll(async () => {
  stack = await startStack()
})
afterEach(async () => {
  printed.push(...(await stack.killAll()).flat())
})
afterAll(() => stack.stop())

async function owners(): Promise<(string | undefined)[]> {
  return (await stack.fleet.view()).partitions.map((row) => row.owner)
}

async function ownedBy(worker: ConnectorProcess): Promise<void> {
  const { workerId } = await worker.says('Connector started')
  await expect.poll(owners, { timeout: 60_000 }).toEqual(Array(stack.partitionCount).fill(workerId))
}

test('a new connection is linked and sends; the health check sees a healthy worker', async () => {
  const xRay = await startXRay()
  const worker = stack.connector(1, { TRACING: 'on', AWS_ENDPOINT_URL_XRAY: xRay.url })
  await ownedBy(worker)
  await stack.phone('+94714515253')
  await stack.phone('+94770000001')
  ref = await stack.createConnection('Primary Device')
  const pending = await stack.until(ref, (row) => row.qr !== undefined)
  await stack.scan('+94714515253', pending.qr?.text ?? '')
  await stack.until(ref, (row) => row.status === 'connected')
  const origin = {
    requestId: 'call-1',
    trace: 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1',
  }
  const sent = await stack.accept(ref, '+94770000001', 'first', true, origin)
  expect(await stack.leavesQueued(ref, sent.messageId)).not.toBe('failed')
  // The call is found by its ids: in the line about its send, and in its trace.
  const { messageId } = sent
  const traceId = '1-67891233-abcdef012345678912345678'
  expect(await worker.says('A send ended')).toMatchObject({ messageId, requestId: 'call-1', traceId, ...ref })
  const [segment] = await xRay.received
  expect(segment).toMatchObject({
    trace_id: traceId,
    parent_id: '53995c3f42cd8ad8',
    name: 'holdfast-connector',
    annotations: { messageId, requestId: 'call-1', connectionId: ref.connectionId, status: 'sent' },
    subsegments: [{ name: 'WhatsApp', namespace: 'remote' }],
  })
  expect(JSON.stringify(segment)).not.toContain('first')
  await xRay.stop()
  const check = await worker.healthCheck()
  expect(check.code).toBe(0)
  expect(JSON.parse(check.printed)).toMatchObject({ healthy: true, leaseHeld: true, partitions: 4, connections: 1 })
})

test('the next worker restores it without a scan, and what waited goes out', async () => {
  const waiting = await stack.accept(ref, '+94770000001', 'rung while nobody was there')
  const lost = await stack.accept(ref, '+94770000001', 'never rung for', false)
  const worker = stack.connector()
  await worker.says('Restoring WhatsApp connections... found 1')
  expect(await worker.says('Restored WhatsApp connections')).toMatchObject({ total: 1, connected: 1 })
  expect(await stack.leavesQueued(ref, waiting.messageId)).not.toBe('failed')
  expect(await stack.leavesQueued(ref, lost.messageId)).not.toBe('failed')
  await ownedBy(worker)
})

test('a death that the platform reports is not waited out', async () => {
  const first = stack.connector(1, { LEASE_MS: '60000', LEASE_MARGIN_MS: '2000', RENEW_MS: '600' })
  await ownedBy(first)
  const second = stack.connector(1, { LEASE_MS: '60000', LEASE_MARGIN_MS: '2000', RENEW_MS: '600' })
  const { workerId } = await first.says('Connector started')
  await second.says('Connector started')
  await first.kill()
  await stack.fleet.markDead(String(workerId))
  await second.says('Restored WhatsApp connections')
  await ownedBy(second)
})

test('a stopped worker that goes on after another took over writes nothing, and ends', async () => {
  const first = stack.connector()
  await first.says('Restored WhatsApp connections')
  await ownedBy(first)
  first.signal('SIGSTOP')
  const second = stack.connector()
  await second.says('Restored WhatsApp connections')
  await ownedBy(second)
  const before = await stack.until(ref, (row) => row.status === 'connected')
  const said = first.lines.length
  first.signal('SIGCONT')
  expect(await first.exited).toBe(75)
  const after = first.lines.slice(said).map((line) => line.message)
  expect(after).toContain('The connector ends: the lease failed')
  expect(after.filter((message) => /Connected|Opening/.test(message))).toEqual([])
  const row = await stack.connections.get(ref)
  expect(row).toMatchObject({ status: 'connected', epoch: before.epoch })
  await ownedBy(second)
})

test('asked to stop, a worker hands its connections to the newest deployment and leaves nothing behind', async () => {
  const first = stack.connector(1)
  await ownedBy(first)
  const second = stack.connector(2)
  await second.says('Connector started')
  first.signal('SIGTERM')
  expect(await first.exited).toBe(0)
  await ownedBy(second)
  await stack.until(ref, (row) => row.status === 'connected')
  second.signal('SIGTERM')
  expect(await second.exited).toBe(0)
  expect(await owners()).toEqual([undefined, undefined, undefined, undefined])
  expect((await stack.fleet.view()).workers.every((worker) => worker.state === 'dead')).toBe(true)
})

test('asked to stop twice it ends at once', async () => {
  const worker = stack.connector(1, { DOORBELL_WAIT_SECONDS: '20' })
  await ownedBy(worker)
  await worker.says('Restored WhatsApp connections')
  worker.signal('SIGTERM')
  await worker.says('Stopping')
  worker.signal('SIGTERM')
  expect(await worker.exited).toBe(130)
})

test('a wrong environment ends it with one line that names what is wrong', async () => {
  const worker = stack.connector(1, { LEASE_MS: '5', PARTITION_CUNT: '3' })
  expect(await worker.exited).toBe(78)
  expect(worker.printed.join('\n')).toMatch(/PARTITION_CUNT is not a setting; .*RENEW_MS must be at most a third/)
})

test('no private key was printed in all of this', () => {
  expect(printed.length).toBeGreaterThan(20)
  expect(printed.filter((line) => /privKey|rootKey|ephemeralKeyPair|Closing session|noiseKey/.test(line))).toEqual([])
})
