import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStack } from './stack.ts'

let stack: Awaited<ReturnType<typeof startStack>>

beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

async function owners(): Promise<(string | undefined)[]> {
  return (await stack.fleet.view()).partitions.map((row) => row.owner)
}

test('a connection is linked, sends, survives kill -9 of its worker without a scan, and moves at SIGTERM', async () => {
  const first = stack.connector()
  await first.says('Connector started')
  await stack.phone('+94714515253')
  await stack.phone('+94770000001')
  const ref = await stack.createConnection('Primary Device')
  const pending = await stack.until(ref, (row) => row.qr !== undefined)
  await stack.scan('+94714515253', pending.qr?.text ?? '')
  await stack.until(ref, (row) => row.status === 'connected')
  const sent = await stack.accept(ref, '+94770000001', 'first')
  expect(await stack.leavesQueued(ref, sent.messageId)).not.toBe('failed')

  await first.kill()
  const waiting = await stack.accept(ref, '+94770000001', 'while nobody was there')
  const second = stack.connector()
  await second.says('Restoring WhatsApp connections... found 1')
  const done = await second.says('Restored WhatsApp connections')
  expect(done).toMatchObject({ total: 1, connected: 1 })
  expect(await stack.leavesQueued(ref, waiting.messageId)).not.toBe('failed')

  const third = stack.connector(2)
  await third.says('Connector started')
  second.signal('SIGTERM')
  expect(await second.exited).toBe(0)
  await third.says('Restored WhatsApp connections')
  await expect.poll(async () => new Set(await owners()).size).toBe(1)
  third.signal('SIGTERM')
  expect(await third.exited).toBe(0)
  expect(await owners()).toEqual([undefined, undefined, undefined, undefined])
  for (const connector of [first, second, third]) {
    expect(connector.printed.filter((line) => /privKey|rootKey|ephemeralKeyPair|Closing session/.test(line))).toEqual(
      [],
    )
  }
}, 90_000)
