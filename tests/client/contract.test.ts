import { expect, it } from 'vitest'
import { HoldfastClient } from '../../shared/client/index.ts'

const answered = { status: 200, headers: { 'content-type': 'application/json' } }
const client = new HoldfastClient({
  baseUrl: 'https://api.test',
  apiKey: 'k',
  fetch: async (input, init) => new Response(JSON.stringify({ url: String(input), method: init?.method }), answered),
})

it('a call is named by method and path, and typed by the contract', async () => {
  const connection = await client.http.request('GET /connections/{connectionId}', { params: { connectionId: 'a/b' } })
  expect(connection).toEqual({ url: 'https://api.test/connections/a%2Fb', method: 'GET' })
  const page = await client.http.request('GET /connections', { query: { limit: 5 } })
  expect(page).toEqual({ url: 'https://api.test/connections?limit=5', method: 'GET' })
})

it('what the contract does not have does not compile, and an id that is missing is not sent', async () => {
  // @ts-expect-error there is no such path
  await client.http.request('GET /nowhere')
  // @ts-expect-error the path's id is missing
  await expect(client.http.request('GET /connections/{connectionId}', {})).rejects.toThrow(/connectionId: expected/)
  await expect(client.connections.get('')).rejects.toThrow(/connectionId: expected/)
  // @ts-expect-error the body is missing
  await client.http.request('POST /connections', {})
  // @ts-expect-error `phone` is no kind of pairing
  await client.connections.create({ label: 'x', pairing: 'phone' })
  // @ts-expect-error a text has no emoji
  await client.messages.send('con_1', { to: '+1', type: 'text', text: { emoji: 'x' } })
  // @ts-expect-error there is no such status
  await client.messages.list('con_1', { status: 'lost' })
})

it('lists go on from page to page', async () => {
  const pages = [{ items: [1, 2], next: 'second' }, { items: [3] }]
  const asked: string[] = []
  const paged = new HoldfastClient({
    baseUrl: 'https://api.test/',
    apiKey: 'k',
    fetch: async (input) => {
      asked.push(String(input))
      return new Response(JSON.stringify(pages[asked.length - 1]), answered)
    },
  })
  const items: unknown[] = []
  for await (const item of paged.messages.all('con_1', { direction: 'inbound' })) items.push(item)
  expect(items).toEqual([1, 2, 3])
  expect(asked.map((url) => new URL(url).search)).toEqual(['?direction=inbound', '?direction=inbound&next=second'])
})

it('a person’s token is asked for at each call; a key goes before it', async () => {
  const sent: (Record<string, string> | undefined)[] = []
  const fetch = async (_: unknown, init?: RequestInit) => {
    sent.push(init?.headers as Record<string, string>)
    return new Response('{"items":[]}', answered)
  }
  let tokens = 0
  const token = async () => {
    tokens += 1
    return `token-${tokens}`
  }
  const person = new HoldfastClient({ baseUrl: 'https://api.test', token, fetch })
  await person.connections.list()
  await person.connections.list()
  expect(sent.map((headers) => headers?.authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
  const both = new HoldfastClient({ baseUrl: 'https://api.test', apiKey: 'k', token, fetch })
  await both.connections.list()
  expect(sent[2]).toMatchObject({ 'x-api-key': 'k' })
  expect(sent[2]).not.toHaveProperty('authorization')
  expect(tokens).toBe(2)
})
