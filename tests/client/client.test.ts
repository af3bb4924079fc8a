import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../shared/api/connections.ts'
import { HoldfastClient, type LiveEvents, ProblemError } from '../../shared/client/index.ts'
import { type Answer, type Asked, startService } from './service.ts'

type Service = Awaited<ReturnType<typeof startService>>
const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function service(answer: (asked: Asked) => Answer): Promise<Service> {
  const started = await startService(answer)
  stops.push(() => started.stop())
  return started
}

const tickets = (() => {
  let count = 0
  return (): Answer => {
    count += 1
    return { status: 201, body: { ticket: `ticket-${count}`, expiresAt: '2026-01-31T12:00:00.000Z' } }
  }
})()

function clientOf({ baseUrl, liveUrl }: Service): HoldfastClient {
  const client = new HoldfastClient({ baseUrl, liveUrl, apiKey: 'hf_test', backoffBaseMs: 5 })
  stops.push(() => client.live.close())
  return client
}

const connection = (connectionId: string, version: number, status: Connection['status'] = 'connected') => ({
  connectionId,
  version,
  status,
  label: connectionId,
  pairing: 'qr',
})
const frame = (event: string, data: object, version: number, connectionId: string | null = null) =>
  JSON.stringify({ id: `${event}-${version}`, event, at: '2026-01-31T12:00:00.000Z', connectionId, version, data })
const change = (event: string, data: ReturnType<typeof connection>) =>
  frame(event, data, data.version, data.connectionId)
const snapshot = (version: number, part: number, parts: number, ...connections: object[]) =>
  frame('snapshot', { connections, part, parts }, version)

function next<Name extends keyof LiveEvents>(client: HoldfastClient, name: Name): Promise<LiveEvents[Name]> {
  return new Promise((resolve) => {
    const stop = client.live.on(name, (data) => {
      stop()
      resolve(data)
    })
  })
}

describe('media', () => {
  it('are registered and put where the answer says, with its headers', async () => {
    const api = await service(({ path }) => {
      if (path === '/put?signed') return { status: 200 }
      const headers = { 'Content-Type': 'application/pdf', 'Content-Length': '3' }
      const upload = { method: 'PUT', url: `${api.baseUrl}put?signed`, headers, expiresAt: '2026-01-31T12:00:00.000Z' }
      return { status: 201, body: { mediaId: 'med_1', state: 'waiting', contentType: 'application/pdf', upload } }
    })
    const file = new File(['pdf'], 'bill.pdf', { type: 'application/pdf' })
    expect(await clientOf(api).media.upload(file)).toMatchObject({ mediaId: 'med_1', state: 'ready' })
    const [register, put] = api.asked
    expect(JSON.parse(register?.body ?? '')).toEqual({ contentType: 'application/pdf', size: 3, filename: 'bill.pdf' })
    expect(put).toMatchObject({
      method: 'PUT',
      body: 'pdf',
      headers: { 'content-type': 'application/pdf', 'content-length': '3' },
    })
    expect(put?.headers).not.toHaveProperty('x-api-key')
  })

  it('fail where the storage refuses the bytes', async () => {
    const api = await service(({ method }) => {
      const upload = { method: 'PUT', url: `${api.baseUrl}put`, headers: {}, expiresAt: '2026-01-31T12:00:00.000Z' }
      return method === 'PUT' ? { status: 403 } : { status: 201, body: { mediaId: 'med_1', upload } }
    })
    const upload = clientOf(api).media.upload(new Uint8Array(3))
    await expect(upload).rejects.toThrow(new ProblemError(403, { detail: 'The upload was refused.' }, null))
  })
})

describe('calls', () => {
  it('send the key, the idempotency key and the body, and give the answer', async () => {
    const api = await service(() => ({ status: 202, body: { messageId: 'msg_1', status: 'queued' } }))
    const body = { to: '+4915112345678', type: 'text', text: { body: 'hi' } } as const
    const sent = await clientOf(api).messages.send('con/1', body, { idempotencyKey: 'order-1' })
    expect(sent).toEqual({ messageId: 'msg_1', status: 'queued' })
    expect(api.asked[0]).toMatchObject({
      method: 'POST',
      path: '/connections/con%2F1/messages',
      headers: { 'x-api-key': 'hf_test', 'idempotency-key': 'order-1', 'content-type': 'application/json' },
    })
    expect(JSON.parse(api.asked[0]?.body ?? '')).toEqual(body)
  })

  it('turn a problem document into an error with its code and fields', async () => {
    const errors = [{ field: 'to', message: 'is required' }]
    const document = {
      type: 'x',
      title: 'no',
      status: 429,
      detail: 'to: is required',
      code: 'too_many_waiting',
      errors,
    }
    const api = await service(() => ({ status: 429, body: document, headers: { 'retry-after': '7' } }))
    const error = await clientOf(api)
      .connections.get('con_1')
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ProblemError)
    expect(error).toMatchObject({
      status: 429,
      code: 'too_many_waiting',
      errors,
      retryAfterSeconds: 7,
      message: 'to: is required',
    })
  })

  it('name the status when something in between answers without a document', async () => {
    const api = await service(() => ({ status: 502 }))
    await expect(clientOf(api).connections.list()).rejects.toMatchObject({ status: 502, code: 'unknown' })
  })
})

describe('live', () => {
  it('opens with a ticket, and gives the snapshot once all its parts are there', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const complete = next(client, 'snapshot')
    const socket = await api.socket(0)
    socket.send(snapshot(1, 2, 2, connection('con_2', 1)))
    socket.send(snapshot(1, 1, 2, connection('con_1', 1)))
    expect((await complete).map(({ connectionId }) => connectionId).sort()).toEqual(['con_1', 'con_2'])
    expect(api.tickets).toEqual([expect.stringMatching(/^ticket-/)])
  })

  it('never goes back: what is older than what was seen is not told', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const told: string[] = []
    client.live.on('whatsapp-connected', ({ version }) => told.push(`connected ${version}`))
    client.live.on('whatsapp-reconnecting', ({ version }) => told.push(`reconnecting ${version}`))
    const done = next(client, 'snapshot')
    const socket = await api.socket(0)
    socket.send(change('whatsapp-reconnecting', connection('con_1', 5, 'reconnecting')))
    socket.send(
      `[${change('whatsapp-connected', connection('con_1', 4))},${change('whatsapp-connected', connection('con_1', 6))}]`,
    )
    socket.send(snapshot(1, 1, 1, connection('con_1', 3)))
    await done
    expect(told).toEqual(['reconnecting 5', 'connected 6'])
    expect(client.live.connections.get('con_1')).toMatchObject({ version: 6 })
  })

  it('tells the ends of operations and where contacts are, each by its own version, and keeps the connection', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const told: string[] = []
    client.live.on('operation-completed', ({ operationId }) => told.push(operationId))
    client.live.on('presence', ({ presence }) => told.push(presence))
    const last = next(client, 'whatsapp-connected')
    const socket = await api.socket(0)
    socket.send(snapshot(1, 1, 1, connection('con_1', 5)))
    const operation = frame('operation-completed', { operationId: 'opr_1', connectionId: 'con_1' }, 2, 'con_1')
    const presence = (state: string, version: number) =>
      frame('presence', { connectionId: 'con_1', contact: { lid: '1@lid' }, presence: state }, version, 'con_1')
    for (const sent of [
      operation,
      operation,
      presence('available', 7),
      presence('typing', 8),
      presence('available', 7),
    ])
      socket.send(sent)
    socket.send(change('whatsapp-connected', connection('con_1', 6)))
    await last
    expect(told).toEqual(['opr_1', 'available', 'typing'])
    expect(client.live.connections.get('con_1')).toMatchObject({ version: 6 })
  })

  it('does not bring back what was deleted', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const done = next(client, 'snapshot')
    const socket = await api.socket(0)
    socket.send(change('whatsapp-connected', connection('con_1', 1)))
    socket.send(frame('connection-deleted', { connectionId: 'con_1' }, 2, 'con_1'))
    socket.send(snapshot(1, 1, 1, connection('con_1', 1)))
    expect(await done).toEqual([])
  })

  it('comes back by itself with a fresh ticket, and ends with what the last snapshot says', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    client.live.open()
    for (let round = 0; round < 20; round += 1) {
      const socket = await api.socket(round)
      const complete = next(client, 'snapshot')
      socket.send(snapshot(1, 1, 1, connection('con_1', round), connection(`con_only_${round}`, 1)))
      await complete
      socket.terminate()
    }
    const last = await api.socket(20)
    const complete = next(client, 'snapshot')
    last.send(snapshot(1, 1, 1, connection('con_1', 20)))
    expect((await complete).map(({ connectionId, version }) => [connectionId, version])).toEqual([['con_1', 20]])
    expect(new Set(api.tickets).size).toBe(21)
  })

  it('stops and says so when the key is not good any more', async () => {
    const api = await service(() => ({ status: 401, body: { title: 'revoked', code: 'invalid_api_key' } }))
    const client = clientOf(api)
    expect(await next(client, 'error')).toMatchObject({ code: 'invalid_api_key' })
    expect(api.asked).toHaveLength(1)
  })

  it('tries again when the ticket cannot be had for now', async () => {
    let calls = 0
    const api = await service(() => {
      calls += 1
      return calls < 3 ? { status: 503 } : tickets()
    })
    const client = clientOf(api)
    client.live.open()
    await api.socket(0)
    expect(calls).toBe(3)
  })

  it('tells what a snapshot after a reconnect shows to have changed, once, and by its name', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const told: string[] = []
    for (const name of ['whatsapp-connected', 'whatsapp-disconnected', 'connection-updated'] as const)
      client.live.on(name, ({ connectionId, version }) => told.push(`${name} ${connectionId} ${version}`))
    client.live.on('connection-deleted', ({ connectionId }) => told.push(`connection-deleted ${connectionId}`))
    const first = next(client, 'snapshot')
    const socket = await api.socket(0)
    socket.send(snapshot(1, 1, 1, connection('con_1', 1), connection('con_2', 1), connection('con_3', 1)))
    await first
    expect(told).toEqual([])
    socket.terminate()
    const second = await api.socket(1)
    const complete = next(client, 'snapshot')
    second.send(snapshot(1, 1, 1, connection('con_1', 5, 'disconnected'), connection('con_2', 1)))
    await complete
    // The change itself comes late, and one from before the deletion as well.
    second.send(change('whatsapp-disconnected', connection('con_1', 5, 'disconnected')))
    second.send(change('whatsapp-connected', connection('con_3', 2)))
    const last = client.live.once('connection-updated')
    second.send(change('connection-updated', connection('con_2', 2)))
    await last
    expect(told).toEqual(['whatsapp-disconnected con_1 5', 'connection-deleted con_3', 'connection-updated con_2 2'])
    expect([...client.live.connections.keys()]).toEqual(['con_1', 'con_2'])
  })

  it('tells a message once, and asks for what it missed until it has been told all of it', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const told: number[] = []
    client.live.on('message-status', ({ version }) => told.push(version))
    const status = (version: number, at: string) =>
      JSON.stringify({
        id: `msg_1:${version}`,
        event: 'message-status',
        at,
        connectionId: 'con_1',
        version,
        data: { messageId: 'msg_1', version },
      })
    const first = await api.socket(0)
    first.send(status(2, '2026-01-31T12:00:05.000Z'))
    const seen = client.live.once('message-status')
    first.send(status(1, '2026-01-31T12:00:04.000Z'))
    await seen
    first.terminate()
    // This one ends before it has said that all was told.
    const second = await api.socket(1)
    const another = client.live.once('message-status')
    second.send(status(2, '2026-01-31T12:00:05.000Z'))
    second.send(status(4, '2026-01-31T12:00:09.000Z'))
    await another
    second.terminate()
    const third = await api.socket(2)
    const resumed = client.live.once('resumed')
    const data = { since: '2026-01-31T12:00:05.000Z', complete: true }
    const at = '2026-01-31T12:00:10.000Z'
    third.send(JSON.stringify({ id: 'r', event: 'resumed', at, connectionId: null, version: 1, data }))
    expect(await resumed).toEqual(data)
    third.terminate()
    await api.socket(3)
    expect(told).toEqual([2, 4])
    expect(api.queries.map((query) => query.get('since'))).toEqual([
      null,
      '2026-01-31T12:00:05.000Z',
      '2026-01-31T12:00:05.000Z',
      at,
    ])
  })

  it('watches what it is told to, also after a reconnect', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const complete = next(client, 'snapshot')
    ;(await api.socket(0)).send(snapshot(1, 1, 1, connection('con_1', 1), connection('con_2', 1)))
    await complete
    client.live.watch(['con_2', 'con_3'])
    expect([...client.live.connections.keys()]).toEqual(['con_2'])
    ;(await api.socket(1)).terminate()
    await api.socket(2)
    expect(api.queries.map((query) => query.get('connectionId'))).toEqual([null, 'con_2,con_3', 'con_2,con_3'])
    expect(() => client.live.watch([])).toThrow(/1 to 100/)
  })

  it('gives up a socket that does not answer, or that the service has forgotten', async () => {
    const api = await service(tickets)
    const client = new HoldfastClient({ ...api, apiKey: 'hf_test', backoffBaseMs: 5, pingEveryMs: 5 })
    stops.push(() => client.live.close())
    client.live.open()
    const first = await api.socket(0)
    const asked = new Promise((resolve) => first.once('message', (said) => resolve(JSON.parse(String(said)))))
    expect(await asked).toEqual({ action: 'ping' })
    const ended = new Promise((resolve) => first.once('close', resolve))
    first.send(
      JSON.stringify({ id: 'e', event: 'error', at: 'x', connectionId: null, version: 0, data: { code: 'not_found' } }),
    )
    await ended
    await api.socket(1)
    expect(api.tickets.length).toBeGreaterThan(1)
  })

  it('gives up a socket whose snapshot does not come, or not whole, and keeps one whose snapshot is whole', async () => {
    const api = await service(tickets)
    const client = new HoldfastClient({ ...api, apiKey: 'hf_test', backoffBaseMs: 5, snapshotWithinMs: 300 })
    stops.push(() => client.live.close())
    const lost: (string | undefined)[] = []
    client.live.on('state', (state) => {
      if (state.kind === 'reconnecting') lost.push(state.error?.message)
    })
    const part = (number: number, parts: number) =>
      JSON.stringify({
        id: `s${number}`,
        event: 'snapshot',
        at: '2026-01-01T00:00:00.000Z',
        connectionId: null,
        version: 1,
        data: { connections: [], part: number, parts },
      })
    const ended = async (n: number) => {
      const socket = await api.socket(n)
      return new Promise((resolve) => socket.once('close', resolve))
    }
    await ended(0)
    const second = ended(1)
    ;(await api.socket(1)).send(part(1, 2))
    await second
    const whole = client.live.once('snapshot')
    ;(await api.socket(2)).send(part(1, 1))
    await whole
    await new Promise((resolve) => setTimeout(resolve, 900))
    expect(lost).toEqual(['No snapshot came.', 'No snapshot came.'])
  })

  it('opens where the ticket says, with a ticket that the page got elsewhere', async () => {
    const api = await service(() => ({ status: 500 }))
    const client = new HoldfastClient({
      baseUrl: api.baseUrl,
      ticket: async () => ({ ticket: 'from-my-backend', url: api.liveUrl }),
    })
    stops.push(() => client.live.close())
    client.live.open()
    await api.socket(0)
    expect([api.tickets, api.asked]).toEqual([['from-my-backend'], []])
  })

  it('a listener that throws does not keep the others from hearing', async () => {
    const api = await service(tickets)
    const client = clientOf(api)
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
    client.live.on('snapshot', () => {
      throw new Error('of the page')
    })
    const complete = next(client, 'snapshot')
    ;(await api.socket(0)).send(snapshot(1, 1, 1))
    await complete
    expect(await thrown).toMatchObject({ message: 'of the page' })
  })
})
