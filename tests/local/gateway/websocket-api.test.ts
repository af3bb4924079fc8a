import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { AuthorizerSpec, WebSocketApiSpec, WebSocketRouteSpec } from '../../../local/engine/contracts.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../../../local/engine/gateway/start-gateway.ts'
import { type FakeFunctions, fakeFunctions, gate, type Handler, recordedLog } from './fake-functions.ts'

const route = (routeKey: string, functionArn: string, more: Partial<WebSocketRouteSpec> = {}): WebSocketRouteSpec => ({
  routeKey,
  functionArn,
  returnsResponse: false,
  ...more,
})

const api = (routes: readonly WebSocketRouteSpec[], more: Partial<WebSocketApiSpec> = {}): WebSocketApiSpec => ({
  apiId: 'live1',
  name: 'Live',
  region: 'eu-west-1',
  account: '111111111111',
  stageName: 'prod',
  routeSelectionExpression: '$request.body.action',
  routes,
  idleTimeoutMs: 600_000,
  maxDurationMs: 7_200_000,
  ...more,
})

const ok = () => ({ statusCode: 200 })
const standard = [
  route('$connect', 'connect'),
  route('$disconnect', 'disconnect'),
  route('$default', 'fallback'),
  route('subscribe', 'subscribe'),
  route('ask', 'ask', { returnsResponse: true }),
]

interface Live {
  readonly url: string
  readonly functions: FakeFunctions
  readonly management: ApiGatewayManagementApiClient
  open(query?: string, headers?: Record<string, string>): Promise<WebSocket>
}

const stops: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

const serve = async (
  spec: WebSocketApiSpec,
  handlers: Readonly<Record<string, Handler>>,
  socketLimits: NonNullable<GatewayOptions['socketLimits']> = {},
): Promise<Live> => {
  const functions = fakeFunctions({ connect: ok, disconnect: ok, fallback: ok, subscribe: ok, ...handlers })
  const gateway: Gateway = await startGateway({
    httpApis: [],
    webSocketApis: [spec],
    invoker: functions,
    port: 0,
    host: '127.0.0.1',
    log: recordedLog(),
    socketLimits,
  })
  stops.push(() => gateway.stop())
  // Stands where the front stands, which has checked who calls.
  const front = createServer((req, res) => gateway.management(spec.apiId).handleManagement(req, res))
  await once(front.listen(0, '127.0.0.1'), 'listening')
  stops.push(async () => {
    front.closeAllConnections()
    await once(front.close(), 'close')
  })
  const url = gateway.liveUrl(spec.apiId)
  const management = new ApiGatewayManagementApiClient({
    region: spec.region,
    endpoint: `http://127.0.0.1:${(front.address() as AddressInfo).port}/${spec.stageName}`,
    credentials: { accessKeyId: 'GATEWAYTESTS', secretAccessKey: 'unused' },
    maxAttempts: 1,
  })
  stops.push(async () => management.destroy())
  return {
    url,
    functions,
    management,
    async open(query = '', headers = {}) {
      const socket = new WebSocket(`${url}${query}`, { headers })
      await once(socket, 'open')
      return socket
    },
  }
}

/** The status that an upgrade was refused with. */
const refusal = async (socket: WebSocket): Promise<number> => {
  socket.on('error', () => undefined)
  const [request, response] = await once(socket, 'unexpected-response')
  request.destroy()
  return response.statusCode
}

const nextFrame = async (socket: WebSocket): Promise<string> => String((await once(socket, 'message'))[0])
const routeKeyOf = (event: unknown) => (event as { requestContext: { routeKey: string } }).requestContext.routeKey
const connectionIdOf = (functions: FakeFunctions): string =>
  (functions.invocations[0]?.event as { requestContext: { connectionId: string } }).requestContext.connectionId

describe('$connect', () => {
  it('gets the event that AWS makes', async () => {
    const { functions, open } = await serve(api(standard), {})
    await open('?ticket=t1&x=1&x=2', { 'User-Agent': 'tests', Origin: 'https://console.example' })
    expect(functions.invocations[0]).toEqual({
      functionArn: 'connect',
      source: {
        service: 'apigateway.amazonaws.com',
        sourceArn: 'arn:aws:execute-api:eu-west-1:111111111111:live1/prod/$connect',
      },
      event: {
        headers: expect.objectContaining({ 'User-Agent': 'tests', Origin: 'https://console.example' }),
        multiValueHeaders: expect.objectContaining({ 'User-Agent': ['tests'] }),
        queryStringParameters: { ticket: 't1', x: '2' },
        multiValueQueryStringParameters: { ticket: ['t1'], x: ['1', '2'] },
        requestContext: {
          routeKey: '$connect',
          eventType: 'CONNECT',
          extendedRequestId: expect.any(String),
          requestTime: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:/),
          messageDirection: 'IN',
          stage: 'prod',
          connectedAt: expect.any(Number),
          requestTimeEpoch: expect.any(Number),
          identity: { sourceIp: '127.0.0.1', userAgent: 'tests' },
          requestId: expect.stringMatching(/^[\w-]{15}=$/),
          domainName: 'live1.execute-api.eu-west-1.amazonaws.com',
          connectionId: expect.stringMatching(/^[\w-]{15}=$/),
          apiId: 'live1',
        },
        isBase64Encoded: false,
      },
    })
  })

  it.each([
    ['answers 401', () => ({ statusCode: 401 }), 401],
    ['answers 403', () => ({ statusCode: 403, body: 'no' }), 403],
    ['fails', () => Promise.reject(new Error('x')), 502],
    ['answers without a status code', () => ({}), 502],
  ])('that %s refuses the upgrade', async (_what, connect, status) => {
    const { url, functions } = await serve(api(standard), { connect })
    expect(await refusal(new WebSocket(url))).toBe(status)
    expect(functions.invocations.map(({ functionArn }) => functionArn)).toEqual(['connect'])
  })

  it('refuses another path with 403', async () => {
    const { url, functions } = await serve(api(standard), {})
    expect(await refusal(new WebSocket(url.replace('/prod', '/other')))).toBe(403)
    expect(functions.invocations).toHaveLength(0)
  })

  it('may choose a subprotocol', async () => {
    const { url } = await serve(api(standard), {
      connect: () => ({ statusCode: 200, headers: { 'Sec-WebSocket-Protocol': 'v2' } }),
    })
    const socket = new WebSocket(url, ['v1', 'v2'])
    await once(socket, 'open')
    expect(socket.protocol).toBe('v2')
  })

  it('leaves the connection gone to posts until it returned', async () => {
    const held = gate<unknown>()
    const { url, functions, management } = await serve(api(standard), { connect: () => held.opened })
    const socket = new WebSocket(url)
    await functions.invoked(({ functionArn }) => functionArn === 'connect')
    const post = () =>
      management.send(new PostToConnectionCommand({ ConnectionId: connectionIdOf(functions), Data: 'hello' }))
    await expect(post()).rejects.toMatchObject({ name: 'GoneException' })
    const frame = nextFrame(socket)
    held.open({ statusCode: 200 })
    await once(socket, 'open')
    await post()
    expect(await frame).toBe('hello')
  })

  it('whose client left meanwhile is followed by $disconnect', async () => {
    const held = gate<unknown>()
    const { url, functions } = await serve(api(standard), { connect: () => held.opened })
    const socket = new WebSocket(url)
    const gone = new Promise((resolve) => socket.once('close', resolve).once('error', () => undefined))
    await functions.invoked(({ functionArn }) => functionArn === 'connect')
    socket.terminate()
    await gone
    held.open({ statusCode: 200 })
    const { event } = await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    expect(event).toMatchObject({ requestContext: { connectionId: connectionIdOf(functions) } })
  })
})

describe('an authorizer of $connect', () => {
  const authorizer: AuthorizerSpec = {
    authorizerId: 'auth1',
    functionArn: 'authorize',
    identitySources: ['route.request.querystring.ticket'],
    resultTtlSeconds: 0,
    simpleResponses: false,
  }
  const routes = [route('$connect', 'connect', { authorizer }), route('$default', 'fallback')]
  const policy = (Effect: string) => ({
    principalId: 'bp1',
    policyDocument: { Statement: [{ Effect, Action: 'execute-api:Invoke', Resource: '*' }] },
    context: { businessProfileId: 'bp1', n: 1 },
  })

  it('hands its context to every event of the connection, as text', async () => {
    const { functions, open } = await serve(api(routes), { authorize: () => policy('Allow') })
    const socket = await open('?ticket=t1')
    socket.send('x')
    const { event } = await functions.invoked(({ functionArn }) => functionArn === 'fallback')
    const expected = { requestContext: { authorizer: { principalId: 'bp1', businessProfileId: 'bp1', n: '1' } } }
    expect(event).toMatchObject(expected)
    expect(functions.invocations[1]).toMatchObject({ functionArn: 'connect', event: expected })
    expect(functions.invocations[0]).toMatchObject({
      source: { sourceArn: 'arn:aws:execute-api:eu-west-1:111111111111:live1/authorizers/auth1' },
      event: {
        type: 'REQUEST',
        methodArn: 'arn:aws:execute-api:eu-west-1:111111111111:live1/prod/$connect',
        queryStringParameters: { ticket: 't1' },
      },
    })
  })

  it.each([
    ['without the identity source', '', () => policy('Allow'), 401],
    ['when it denies', '?ticket=t1', () => policy('Deny'), 403],
    ['when it says Unauthorized', '?ticket=t1', () => Promise.reject(new Error('Unauthorized')), 401],
    ['when it fails', '?ticket=t1', () => Promise.reject(new Error('x')), 500],
  ])('refuses %s', async (_what, query, authorize, status) => {
    const { url, functions } = await serve(api(routes), { authorize })
    expect(await refusal(new WebSocket(`${url}${query}`))).toBe(status)
    expect(functions.invocations.some(({ functionArn }) => functionArn === 'connect')).toBe(false)
  })
})

describe('a message', () => {
  it.each([
    ['{"action":"subscribe","connectionId":"c1"}', 'subscribe'],
    ['{"action":"other"}', '$default'],
    ['{"action":"$connect"}', '$default'],
    ['{"noAction":1}', '$default'],
    ['not json', '$default'],
    ['"subscribe"', '$default'],
  ])('%s goes to %s', async (body, routeKey) => {
    const { functions, open } = await serve(api(standard), {})
    const socket = await open()
    socket.send(body)
    const { event, source } = await functions.invoked(({ functionArn }) => functionArn !== 'connect')
    expect(event).toEqual({
      requestContext: expect.objectContaining({
        routeKey,
        eventType: 'MESSAGE',
        messageId: expect.stringMatching(/^[\w-]{15}=$/),
        messageDirection: 'IN',
        connectionId: connectionIdOf(functions),
      }),
      body,
      isBase64Encoded: false,
    })
    expect(source.sourceArn).toBe(`arn:aws:execute-api:eu-west-1:111111111111:live1/prod/${routeKey}`)
  })

  it('without a route is answered Forbidden', async () => {
    const { functions, open } = await serve(api([route('$connect', 'connect')]), {})
    const socket = await open()
    const frame = nextFrame(socket)
    socket.send('{"action":"subscribe"}')
    expect(JSON.parse(await frame)).toEqual({
      message: 'Forbidden',
      connectionId: connectionIdOf(functions),
      requestId: expect.any(String),
    })
  })

  it.each([
    ['fails', () => Promise.reject(new Error('secret'))],
    ['answers without a status code', () => undefined],
  ])('whose function %s is answered Internal server error', async (_what, fallback) => {
    const { open } = await serve(api(standard), { fallback })
    const socket = await open()
    const frame = nextFrame(socket)
    socket.send('x')
    expect(JSON.parse(await frame)).toMatchObject({ message: 'Internal server error' })
  })

  it('is answered with the body only on a route that returns responses', async () => {
    const { open } = await serve(api(standard), {
      ask: () => ({ statusCode: 200, body: 'answer' }),
      subscribe: () => ({ statusCode: 200, body: 'not sent' }),
    })
    const socket = await open()
    const frame = nextFrame(socket)
    socket.send('{"action":"subscribe"}')
    socket.send('{"action":"ask"}')
    expect(await frame).toBe('answer')
  })

  it.each([
    ['over 128 KB', Buffer.alloc(128 * 1024 + 1, 'x').toString(), 1009],
    ['that is binary', Buffer.from([1]), 1003],
  ])('%s closes the connection', async (_what, data, code) => {
    const { functions, open } = await serve(api(standard), {})
    const socket = await open()
    const closed = once(socket, 'close')
    socket.send(data)
    expect((await closed)[0]).toBe(code)
    await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    expect(functions.invocations.map(({ event }) => routeKeyOf(event))).toEqual(['$connect', '$disconnect'])
  })

  it('of 128 KB is taken', async () => {
    const { functions, open } = await serve(api(standard), {})
    const socket = await open()
    socket.send('x'.repeat(128 * 1024))
    await functions.invoked(({ functionArn }) => functionArn === 'fallback')
  })
})

describe('$disconnect', () => {
  it.each([
    ['a clean close', (socket: WebSocket) => socket.close(1000, 'bye'), 1000, 'bye'],
    ['a close without a code', (socket: WebSocket) => socket.close(), 1005, 'Client-side close frame status not set'],
    ['a drop', (socket: WebSocket) => socket.terminate(), 1006, ''],
  ])('tells of %s', async (_what, end, disconnectStatusCode, disconnectReason) => {
    const { functions, open } = await serve(api(standard), {})
    const socket = await open()
    end(socket)
    const { event } = await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    expect(event).toMatchObject({
      requestContext: {
        routeKey: '$disconnect',
        eventType: 'DISCONNECT',
        disconnectStatusCode,
        disconnectReason,
        connectionId: connectionIdOf(functions),
      },
      isBase64Encoded: false,
    })
  })

  it.each([
    ['idle for too long', { idleTimeoutMs: 30 }],
    ['open for too long', { maxDurationMs: 30 }],
  ])('follows when the connection was %s: 1001 Going away', async (_what, limits) => {
    const { functions, open } = await serve(api(standard, limits), {})
    const socket = await open()
    const [code, reason] = await once(socket, 'close')
    expect([code, String(reason)]).toEqual([1001, 'Going away'])
    const { event } = await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    expect(event).toMatchObject({
      requestContext: { disconnectStatusCode: 1001, disconnectReason: 'Going away' },
    })
  })

  it('has run for every connection once the gateway has stopped', async () => {
    const { functions, open } = await serve(api(standard), {})
    const sockets = await Promise.all([open(), open(), open()])
    const codes = Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]))
    for (const stop of stops.splice(0)) await stop()
    expect(functions.invocations.filter(({ functionArn }) => functionArn === 'disconnect')).toHaveLength(3)
    expect(await codes).toEqual([1001, 1001, 1001])
  })

  it('runs even when the client does not answer the close', async () => {
    const { functions, open } = await serve(api(standard, { maxDurationMs: 30 }), {}, { closeMs: 30 })
    const socket = await open()
    socket.pause()
    await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    socket.terminate()
  })
})

describe('@connections', () => {
  const connect = async (handlers: Readonly<Record<string, Handler>> = {}, limits = {}) => {
    const live = await serve(api(standard), handlers, limits)
    const socket = await live.open('', { 'User-Agent': 'tests' })
    return { ...live, socket, ConnectionId: connectionIdOf(live.functions) }
  }

  it('posts frames in order', async () => {
    const { management, socket, ConnectionId } = await connect()
    const frames: string[] = []
    socket.on('message', (data) => frames.push(String(data)))
    const third = new Promise<void>((resolve) => socket.on('message', () => frames.length === 3 && resolve()))
    for (const Data of ['1', '{"é":2}', '3']) await management.send(new PostToConnectionCommand({ ConnectionId, Data }))
    await third
    expect(frames).toEqual(['1', '{"é":2}', '3'])
  })

  it('tells about a connection', async () => {
    const { management, ConnectionId } = await connect()
    expect(await management.send(new GetConnectionCommand({ ConnectionId }))).toMatchObject({
      ConnectedAt: expect.any(Date),
      LastActiveAt: expect.any(Date),
      Identity: { SourceIp: '127.0.0.1', UserAgent: 'tests' },
    })
  })

  it('closes a connection, which is then gone', async () => {
    const { management, functions, socket, ConnectionId } = await connect()
    const closed = once(socket, 'close')
    await management.send(new DeleteConnectionCommand({ ConnectionId }))
    await expect(management.send(new PostToConnectionCommand({ ConnectionId, Data: 'x' }))).rejects.toMatchObject({
      name: 'GoneException',
      $metadata: { httpStatusCode: 410 },
    })
    expect((await closed)[0]).toBe(1000)
    await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
  })

  it.each([
    ['a connection that never was', 'AAAAAAAAAAAAAAA=', 'x', 'GoneException'],
    ['an id that is none', 'nonsense', 'x', 'BadRequestException'],
    ['a frame over 128 KB', undefined, 'x'.repeat(128 * 1024 + 1), 'PayloadTooLargeException'],
  ])('refuses %s', async (_what, id, Data, name) => {
    const { management, ConnectionId } = await connect()
    await expect(
      management.send(new PostToConnectionCommand({ ConnectionId: id ?? ConnectionId, Data })),
    ).rejects.toMatchObject({ name })
  })

  it('refuses another stage', async () => {
    const { management, ConnectionId, url } = await connect()
    expect(url).toMatch(/\/prod$/)
    const { hostname, port, protocol } = (await management.config.endpoint?.()) ?? { hostname: '', protocol: '' }
    const answer = await fetch(`${protocol}//${hostname}:${port}/other/@connections/${ConnectionId}`, {
      method: 'POST',
    })
    expect(answer.status).toBe(403)
  })

  it('takes no more for a client that does not read, and cuts it off when told to close', async () => {
    const { management, functions, socket, ConnectionId } = await connect({}, { sendBufferBytesMax: 256 * 1024 })
    socket.pause()
    const Data = 'x'.repeat(100 * 1024)
    const flood = async (): Promise<unknown> => {
      for (;;) await management.send(new PostToConnectionCommand({ ConnectionId, Data }))
    }
    await expect(flood()).rejects.toMatchObject({ name: 'LimitExceededException' })
    await management.send(new DeleteConnectionCommand({ ConnectionId }))
    const { event } = await functions.invoked(({ functionArn }) => functionArn === 'disconnect')
    expect(event).toMatchObject({ requestContext: { disconnectStatusCode: 1000 } })
    socket.terminate()
  })
})

describe('the ports', () => {
  it('one HTTP and one WebSocket API share a port', async () => {
    const gateway = await startGateway({
      httpApis: [
        {
          apiId: 'api1',
          name: 'Api',
          region: 'eu-west-1',
          account: '111111111111',
          stageName: '$default',
          routes: [{ routeKey: '$default', functionArn: 'root', integrationTimeoutMs: 1000 }],
        },
      ],
      webSocketApis: [api(standard)],
      invoker: fakeFunctions({ root: () => 'http', connect: ok, disconnect: ok }),
      port: 0,
      host: '127.0.0.1',
      log: recordedLog(),
    })
    stops.push(() => gateway.stop())
    expect(new URL(gateway.httpUrl('api1')).port).toBe(new URL(gateway.liveUrl('live1')).port)
    expect(await (await fetch(`${gateway.httpUrl('api1')}/prod`)).text()).toBe('http')
    await once(new WebSocket(gateway.liveUrl('live1')), 'open')
  })

  it('several of a kind have one each', async () => {
    const gateway = await startGateway({
      httpApis: [],
      webSocketApis: [api(standard), api(standard, { apiId: 'live2' })],
      invoker: fakeFunctions({ connect: ok, disconnect: ok }),
      port: 0,
      host: '127.0.0.1',
      log: recordedLog(),
    })
    stops.push(() => gateway.stop())
    expect(gateway.liveUrl('live1')).not.toBe(gateway.liveUrl('live2'))
    await once(new WebSocket(gateway.liveUrl('live2')), 'open')
  })

  it('a route selection expression that can not be run is an error of the template', async () => {
    const starting = startGateway({
      httpApis: [],
      webSocketApis: [api(standard, { routeSelectionExpression: '' })],
      invoker: fakeFunctions({}),
      port: 0,
      host: '127.0.0.1',
      log: recordedLog(),
    })
    await expect(starting).rejects.toThrow('WebSocket API Live: route selection expression')
  })
})
