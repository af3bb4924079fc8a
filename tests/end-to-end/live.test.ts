import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Connection, HoldfastClient, type Message } from '../../shared/client/index.ts'
import { rest } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'

let place: RunningPlace
let apiKey: string
/** Of every ticket that was given out in this file. */
const tickets: string[] = []

beforeAll(async () => {
  place = await startPlace()
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Tea House' })
  const key = await admin.post(`/admin/business-profiles/${profile.businessProfileId}/api-keys`, { label: 'shop' })
  apiKey = key.body.apiKey
})
afterAll(() => place?.stop())

/** A client whose sockets can be cut as a lost network does. */
function watcher() {
  const sockets: WebSocket[] = []
  class CutSocket extends WebSocket {
    constructor(url: URL) {
      super(url)
      sockets.push(this)
    }
  }
  const rested = new HoldfastClient({ baseUrl: place.httpUrl, apiKey })
  const client = new HoldfastClient({
    baseUrl: place.httpUrl,
    apiKey,
    backoffBaseMs: 1,
    WebSocket: CutSocket as unknown as typeof globalThis.WebSocket,
    ticket: async () => {
      const ticket = await rested.http.request('POST /live/tickets', { body: {} })
      tickets.push(ticket.ticket)
      return ticket
    },
  })
  return { client, cut: () => sockets.at(-1)?.terminate(), sockets }
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const byId = (connections: Iterable<Connection>) =>
  new Map([...connections].map((connection) => [connection.connectionId, connection]))

it('a watcher that loses its socket a hundred times during changes ends with what REST says, and missed no message', async () => {
  const { client, cut, sockets } = watcher()
  const told = new Map<string, Message>()
  client.live.on('message-status', (message) => told.set(message.messageId, message))
  const watching = client.live.once('snapshot')
  const ids: string[] = []
  for (let n = 0; n < 4; n++) ids.push((await client.connections.create({ label: `Desk ${n}` })).connectionId)
  await watching
  const sent: string[] = []
  for (let round = 0; round < 100; round++) {
    const connectionId = ids[round % ids.length] ?? ''
    // In turns the socket is lost before it has heard anything, after its snapshot, and in the middle of changes.
    const opened = client.live.once(
      round % 3 === 0 ? 'state' : 'snapshot',
      (said) => !('kind' in said) || said.kind === 'open',
    )
    cut()
    const changes = [
      client.connections.update(connectionId, { label: `Desk ${connectionId} ${round}` }),
      client.messages.send(connectionId, { to: '+4915112345678', type: 'text', text: { body: `${round}` } }),
    ] as const
    sent.push((await changes[1]).messageId)
    await Promise.all([opened, changes[0]])
  }
  expect(sockets.length).toBeGreaterThan(100)
  // Codes go on changing by themselves: what is compared is read anew until both say the same, or the test ends.
  for (;;) {
    const rows = await Promise.all(ids.map((id) => collected(client.messages.all(id))))
    const same = isDeepStrictEqual(byId(await collected(client.connections.all())), new Map(client.live.connections))
    const missing = rows.flat().filter(({ messageId, version }) => told.get(messageId)?.version !== version)
    if (same && missing.length === 0) break
    await delay(100)
  }
  expect(sent.filter((messageId) => !told.has(messageId))).toEqual([])
  expect(told.size).toBe(100)
  client.live.close()
})

it('neither a ticket nor a key is in any log', () => {
  const text = place.local
    .logs()
    .map((line) => JSON.stringify(line))
    .join('\n')
  expect(text).toContain('socket opened')
  expect(tickets).not.toEqual([])
  expect([...tickets, apiKey, place.adminApiKey].filter((secret) => text.includes(secret))).toEqual([])
})

it('no call was made that the template does not allow', () => {
  expect(place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)).toEqual([])
})
