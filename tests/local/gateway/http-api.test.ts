import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AuthorizerSpec, HttpApiSpec, HttpRouteSpec } from '../../../local/engine/contracts.ts'
import { compileHttpRoutes } from '../../../local/engine/gateway/http-routes.ts'
import { type Gateway, startGateway } from '../../../local/engine/gateway/start-gateway.ts'
import { type FakeFunctions, fakeFunctions, gate, type Handler, recordedLog } from './fake-functions.ts'

const route = (routeKey: string, functionArn: string, more: Partial<HttpRouteSpec> = {}): HttpRouteSpec => ({
  routeKey,
  functionArn,
  integrationTimeoutMs: 30_000,
  ...more,
})

const apiKeyAuthorizer: AuthorizerSpec = {
  authorizerId: 'auth1',
  functionArn: 'authorize',
  identitySources: ['$request.header.X-Api-Key'],
  resultTtlSeconds: 0,
  simpleResponses: true,
}

const api = (routes: readonly HttpRouteSpec[], more: Partial<HttpApiSpec> = {}): HttpApiSpec => ({
  apiId: 'api1',
  name: 'Api',
  region: 'eu-west-1',
  account: '111111111111',
  stageName: '$default',
  routes,
  ...more,
})

let gateway: Gateway | undefined

afterEach(async () => {
  await gateway?.stop()
  gateway = undefined
})

const serve = async (
  spec: HttpApiSpec,
  handlers: Readonly<Record<string, Handler>>,
): Promise<{ url: string; functions: FakeFunctions }> => {
  const functions = fakeFunctions(handlers)
  gateway = await startGateway({
    httpApis: [spec],
    webSocketApis: [],
    invoker: functions,
    port: 0,
    host: '127.0.0.1',
    log: recordedLog(),
  })
  return { url: gateway.httpUrl(spec.apiId), functions }
}

const echo = (event: unknown) => event

describe('an HTTP API event', () => {
  it('has the shape of payload format 2.0', async () => {
    const { url, functions } = await serve(api([route('POST /connections/{id}/messages', 'send')]), { send: echo })
    await fetch(`${url}/connections/a%2Fb%20c/messages?x=1&y=%C3%A9&x=2`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Custom': 'One', cookie: 'a=1; b=2', 'user-agent': 'tests' },
      body: '{"to":"é"}',
    })
    expect(functions.invocations[0]).toEqual({
      functionArn: 'send',
      source: {
        service: 'apigateway.amazonaws.com',
        sourceArn: 'arn:aws:execute-api:eu-west-1:111111111111:api1/$default/POST/connections/{id}/messages',
      },
      event: {
        version: '2.0',
        routeKey: 'POST /connections/{id}/messages',
        rawPath: '/connections/a/b c/messages',
        rawQueryString: 'x=1&y=%C3%A9&x=2',
        cookies: ['a=1', 'b=2'],
        headers: expect.objectContaining({
          'content-type': 'application/json',
          'content-length': '11',
          'x-custom': 'One',
          'user-agent': 'tests',
          'x-forwarded-for': '127.0.0.1',
          'x-forwarded-proto': 'http',
          'x-amzn-trace-id': expect.stringMatching(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/),
        }),
        queryStringParameters: { x: '1,2', y: 'é' },
        pathParameters: { id: 'a/b c' },
        requestContext: {
          accountId: '111111111111',
          apiId: 'api1',
          domainName: 'api1.execute-api.eu-west-1.amazonaws.com',
          domainPrefix: 'api1',
          http: {
            method: 'POST',
            path: '/connections/a/b c/messages',
            protocol: 'HTTP/1.1',
            sourceIp: '127.0.0.1',
            userAgent: 'tests',
          },
          requestId: expect.stringMatching(/^[\w-]{15}=$/),
          routeKey: 'POST /connections/{id}/messages',
          stage: '$default',
          time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
          timeEpoch: expect.any(Number),
        },
        body: '{"to":"é"}',
        isBase64Encoded: false,
      },
    })
    expect(JSON.stringify(functions.invocations[0]?.event)).not.toMatch(/"(connection|cookie|authorizer)":/)
  })

  it('leaves out what the request does not have', async () => {
    const { url, functions } = await serve(api([route('GET /', 'root')]), { root: echo })
    await fetch(url)
    expect(Object.keys(functions.invocations[0]?.event as object).sort()).toEqual(
      ['headers', 'isBase64Encoded', 'rawPath', 'rawQueryString', 'requestContext', 'routeKey', 'version'].sort(),
    )
  })

  it.each([
    ['application/json', false],
    ['text/plain; charset=utf-8', false],
    ['application/problem+json', false],
    ['image/png', true],
    ['application/x-www-form-urlencoded', true],
  ])('carries a body of %s in base64: %s', async (contentType, base64) => {
    const { url, functions } = await serve(api([route('POST /', 'root')]), { root: echo })
    await fetch(url, { method: 'POST', headers: { 'content-type': contentType }, body: 'a=1' })
    expect(functions.invocations[0]?.event).toMatchObject({
      body: base64 ? Buffer.from('a=1').toString('base64') : 'a=1',
      isBase64Encoded: base64,
    })
  })

  it('joins repeated headers with commas', async () => {
    const { url, functions } = await serve(api([route('GET /', 'root')]), { root: echo })
    await new Promise<void>((resolve) => {
      httpRequest(url, { headers: { 'X-Tag': ['a', 'b'] } }, (res) => res.resume().on('end', resolve)).end()
    })
    expect(functions.invocations[0]?.event).toMatchObject({ headers: { 'x-tag': 'a,b' } })
  })

  it('shows a named stage in the path, not in the route', async () => {
    const { url, functions } = await serve(api([route('GET /x', 'x')], { stageName: 'v1' }), { x: echo })
    expect(url).toMatch(/\/v1$/)
    await fetch(`${url}/x`)
    expect(functions.invocations[0]).toMatchObject({
      event: { rawPath: '/v1/x', routeKey: 'GET /x', requestContext: { stage: 'v1' } },
      source: { sourceArn: 'arn:aws:execute-api:eu-west-1:111111111111:api1/v1/GET/x' },
    })
    expect((await fetch(url.replace('/v1', '/x'))).status).toBe(404)
  })
})

describe('the route of a request', () => {
  const routes = compileHttpRoutes(
    [
      '$default',
      'ANY /{proxy+}',
      'GET /pets/{proxy+}',
      'ANY /pets/{id}',
      'GET /pets/{id}',
      'GET /pets/dog',
      'GET /pets/{id}/toys',
      'POST /pets/{id}/{toy}',
      'ANY /pets/dog/{toy}',
    ].map((routeKey) => route(routeKey, routeKey)),
  )

  it.each([
    ['GET', '/pets/dog', 'GET /pets/dog', {}],
    ['GET', '/pets/cat', 'GET /pets/{id}', { id: 'cat' }],
    ['PUT', '/pets/dog', 'ANY /pets/{id}', { id: 'dog' }],
    ['GET', '/pets/cat/toys', 'GET /pets/{id}/toys', { id: 'cat' }],
    ['POST', '/pets/dog/ball', 'ANY /pets/dog/{toy}', { toy: 'ball' }],
    ['GET', '/pets/cat/ball', 'GET /pets/{proxy+}', { proxy: 'cat/ball' }],
    ['DELETE', '/pets/cat/ball', 'ANY /{proxy+}', { proxy: 'pets/cat/ball' }],
    ['GET', '/', '$default', {}],
    ['GET', '/pets/%C3%A9', 'GET /pets/{id}', { id: 'é' }],
  ])('%s %s is %s', (method, path, routeKey, pathParameters) => {
    expect(routes.match(method, path)).toEqual({ route: route(routeKey, routeKey), pathParameters })
  })

  it('is none without a match, answered 404', async () => {
    const { url } = await serve(api([route('GET /x', 'x')]), {})
    for (const [method, path] of [
      ['GET', '/y'],
      ['POST', '/x'],
      ['GET', '/x/'],
    ]) {
      const answer = await fetch(`${url}${path}`, { method: method ?? 'GET' })
      expect([answer.status, await answer.json()]).toEqual([404, { message: 'Not Found' }])
    }
  })

  it('with a malformed key is an error that names it', () => {
    expect(() => compileHttpRoutes([route('GET connections', 'x')])).toThrow('route GET connections')
  })
})

describe("a function's answer", () => {
  const answerOf = async (payload: unknown) => {
    const { url } = await serve(api([route('GET /', 'root')]), { root: () => payload })
    const answer = await fetch(url)
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      text: await answer.text(),
      headers: answer.headers,
    }
  }

  it('without a status code is a 200 in JSON', async () => {
    expect(await answerOf({ ok: true })).toMatchObject({ status: 200, type: 'application/json', text: '{"ok":true}' })
  })

  it('with a status code is taken apart', async () => {
    const answer = await answerOf({
      statusCode: 201,
      headers: { 'Content-Type': 'text/html', 'X-Count': 3 },
      cookies: ['a=1', 'b=2; Secure'],
      body: '<p>',
    })
    expect(answer).toMatchObject({ status: 201, type: 'text/html', text: '<p>' })
    expect(answer.headers.get('x-count')).toBe('3')
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2; Secure'])
    expect(answer.headers.get('apigw-requestid')).toMatch(/^[\w-]{15}=$/)
  })

  it('in base64 is decoded', async () => {
    const body = Buffer.from('é').toString('base64')
    expect(await answerOf({ statusCode: 200, body, isBase64Encoded: true })).toMatchObject({ text: 'é' })
  })

  it.each([
    { statusCode: 'soon' },
    { statusCode: 200, body: { not: 'text' } },
    { statusCode: 200, headers: { a: ['b'] } },
  ])('that is malformed (%j) is a 500', async (payload) => {
    expect(await answerOf(payload)).toMatchObject({ status: 500, text: '{"message":"Internal Server Error"}' })
  })

  it('that is an error is a 500', async () => {
    const { url } = await serve(api([route('GET /', 'root')]), {
      root: () => {
        throw new Error('secret detail')
      },
    })
    const answer = await fetch(url)
    expect([answer.status, await answer.json()]).toEqual([500, { message: 'Internal Server Error' }])
  })

  it('that comes too late is a 503, and the function goes on', async () => {
    const held = gate()
    const { url, functions } = await serve(api([route('GET /', 'root', { integrationTimeoutMs: 20 })]), {
      root: () => held.opened,
    })
    const answer = await fetch(url)
    expect([answer.status, await answer.json()]).toEqual([503, { message: 'Service Unavailable' }])
    expect(functions.invocations).toHaveLength(1)
    held.open()
  })
})

describe('a body over the limit', () => {
  it.each([11, 7])('of %d MB is a 413', async (megabytes) => {
    const { url, functions } = await serve(api([route('POST /', 'root')]), { root: () => ({}) })
    const answer = await fetch(url, { method: 'POST', body: Buffer.alloc(megabytes * 1024 * 1024) })
    expect([answer.status, await answer.json()]).toEqual([413, { message: 'Request Entity Too Large' }])
    expect(functions.invocations).toHaveLength(0)
  })
})

describe('an authorizer', () => {
  const routes = (authorizer: Partial<AuthorizerSpec> = {}) => [
    route('GET /{id}', 'root', { authorizer: { ...apiKeyAuthorizer, ...authorizer } }),
  ]
  const withKey = { headers: { 'x-api-key': 'k1' } }

  it('is not asked when an identity source is missing: 401', async () => {
    const { url, functions } = await serve(api(routes()), {})
    const answer = await fetch(`${url}/1`)
    expect([answer.status, await answer.json()]).toEqual([401, { message: 'Unauthorized' }])
    expect(functions.invocations).toHaveLength(0)
  })

  it('that allows hands its context on', async () => {
    const { url, functions } = await serve(api(routes()), {
      authorize: () => ({ isAuthorized: true, context: { businessProfileId: 'bp1', n: 1 } }),
      root: () => ({ ok: true }),
    })
    expect((await fetch(`${url}/1?a=b`, withKey)).status).toBe(200)
    expect(functions.invocations[0]).toMatchObject({
      functionArn: 'authorize',
      source: {
        service: 'apigateway.amazonaws.com',
        sourceArn: 'arn:aws:execute-api:eu-west-1:111111111111:api1/authorizers/auth1',
      },
      event: {
        version: '2.0',
        type: 'REQUEST',
        routeArn: 'arn:aws:execute-api:eu-west-1:111111111111:api1/$default/GET/1',
        identitySource: ['k1'],
        routeKey: 'GET /{id}',
        rawPath: '/1',
        pathParameters: { id: '1' },
        queryStringParameters: { a: 'b' },
        requestContext: { http: { method: 'GET' } },
      },
    })
    expect(functions.invocations[1]?.event).toMatchObject({
      requestContext: { authorizer: { lambda: { businessProfileId: 'bp1', n: 1 } } },
    })
  })

  it('that denies is a 403', async () => {
    const { url, functions } = await serve(api(routes()), { authorize: () => ({ isAuthorized: false }) })
    const answer = await fetch(`${url}/1`, withKey)
    expect([answer.status, await answer.json()]).toEqual([403, { message: 'Forbidden' }])
    expect(functions.invocations).toHaveLength(1)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('x'))],
    ['answers something else', () => ({ isAuthorized: 'yes' })],
  ])('that %s is a 500', async (_what, authorize) => {
    const { url } = await serve(api(routes()), { authorize, root: () => ({}) })
    const answer = await fetch(`${url}/1`, withKey)
    expect([answer.status, await answer.json()]).toEqual([500, { message: 'Internal Server Error' }])
  })

  it('is asked once per identity within its time to live, for allow and for deny', async () => {
    const { url, functions } = await serve(api(routes({ resultTtlSeconds: 300 })), {
      authorize: (event: { identitySource: string[] }) => ({ isAuthorized: event.identitySource[0] === 'k1' }),
      root: () => ({}),
    })
    for (const key of ['k1', 'k1', 'k2', 'k2', 'k1']) await fetch(`${url}/1`, { headers: { 'x-api-key': key } })
    const asked = functions.invocations.filter(({ functionArn }) => functionArn === 'authorize')
    expect(asked.map(({ event }) => (event as { identitySource: string[] }).identitySource)).toEqual([['k1'], ['k2']])
    expect(functions.invocations).toHaveLength(2 + 3)
  })

  it('is asked again after its time to live', async () => {
    const { url, functions } = await serve(api(routes({ resultTtlSeconds: 1 })), {
      authorize: () => ({ isAuthorized: true }),
      root: () => ({}),
    })
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      await fetch(`${url}/1`, withKey)
      vi.setSystemTime(Date.now() + 1001)
      await fetch(`${url}/1`, withKey)
    } finally {
      vi.useRealTimers()
    }
    expect(functions.invocations.filter(({ functionArn }) => functionArn === 'authorize')).toHaveLength(2)
  })

  it.each([
    ['Allow', 'arn:aws:execute-api:eu-west-1:111111111111:api1/$default/GET/*', 200],
    ['Allow', 'arn:aws:execute-api:eu-west-1:111111111111:api1/$default/POST/*', 403],
    ['Deny', '*', 403],
  ])('may answer with a policy: %s on %s gives %d', async (Effect, Resource, status) => {
    const { url, functions } = await serve(api(routes({ simpleResponses: false })), {
      authorize: () => ({
        principalId: 'p',
        policyDocument: { Version: '2012-10-17', Statement: [{ Effect, Action: 'execute-api:Invoke', Resource }] },
      }),
      root: () => ({}),
    })
    expect((await fetch(`${url}/1`, withKey)).status).toBe(status)
    expect(functions.invocations[0]?.event).toMatchObject({
      version: '1.0',
      type: 'REQUEST',
      methodArn: 'arn:aws:execute-api:eu-west-1:111111111111:api1/$default/GET/1',
      httpMethod: 'GET',
      resource: '/{id}',
    })
  })
})

describe('CORS', () => {
  const cors = {
    allowOrigins: ['https://console.example'],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['x-api-key', 'content-type'],
    exposeHeaders: ['x-next'],
    allowCredentials: false,
    maxAgeSeconds: 600,
  }
  const guarded = [route('GET /', 'root', { authorizer: apiKeyAuthorizer })]

  it('preflights are answered without any function', async () => {
    const { url, functions } = await serve(api(guarded, { cors }), {})
    const answer = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://console.example', 'access-control-request-method': 'GET' },
    })
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': 'https://console.example',
      'access-control-allow-methods': 'GET,POST',
      'access-control-allow-headers': 'x-api-key,content-type',
      'access-control-max-age': '600',
    })
    expect(functions.invocations).toHaveLength(0)
  })

  it('a preflight that a route takes has the status of its function, and the headers of a preflight', async () => {
    const { url } = await serve(api([route('OPTIONS /{proxy+}', 'root')], { cors }), {
      root: () => ({ statusCode: 204 }),
    })
    const answer = await fetch(`${url}/connections`, {
      method: 'OPTIONS',
      headers: { origin: 'https://console.example', 'access-control-request-method': 'GET' },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET,POST')
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://console.example')
  })

  it('an origin that is not allowed gets no CORS headers', async () => {
    const { url } = await serve(api(guarded, { cors }), {})
    const answer = await fetch(url, { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it("the API's headers replace the function's own, also on the gateway's own answers", async () => {
    const { url } = await serve(api([route('GET /', 'root')], { cors: { ...cors, allowOrigins: ['*'] } }), {
      root: () => ({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': 'https://other' }, body: '' }),
    })
    const origin = { headers: { origin: 'https://a.example' } }
    expect((await fetch(url, origin)).headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(`${url}/none`, origin)).headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(url)).headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('the gateway', () => {
  it('hands paths below a prefix to another handler', async () => {
    gateway = await startGateway({
      httpApis: [api([route('$default', 'root')])],
      webSocketApis: [],
      invoker: fakeFunctions({ root: () => ({ statusCode: 200, body: 'api' }) }),
      port: 0,
      host: '127.0.0.1',
      log: recordedLog(),
      extraRoutes: [{ prefix: '/console', handle: (_req, res) => res.end('console') }],
    })
    const text = async (path: string) => (await fetch(`${gateway?.httpUrl('api1')}${path}`)).text()
    expect(await text('/console')).toBe('console')
    expect(await text('/console/app.js')).toBe('console')
    expect(await text('/consoles')).toBe('api')
  })

  it('stops only after the function of a request whose authorizer was running', async () => {
    const held = gate<unknown>()
    const { url, functions } = await serve(api([route('GET /', 'root', { authorizer: apiKeyAuthorizer })]), {
      authorize: () => held.opened,
      root: () => ({ statusCode: 200, body: 'done' }),
    })
    const answer = fetch(url, { headers: { 'x-api-key': 'k1' } })
    await functions.invoked(({ functionArn }) => functionArn === 'authorize')
    const stopping = gateway?.stop()
    gateway = undefined
    held.open({ isAuthorized: true })
    await stopping
    expect(functions.invocations.map(({ functionArn }) => functionArn)).toEqual(['authorize', 'root'])
    expect(await (await answer).text()).toBe('done')
  })

  it('waits for invocations in flight when it stops', async () => {
    const held = gate<unknown>()
    const { url, functions } = await serve(api([route('GET /', 'root')]), { root: () => held.opened })
    const answer = fetch(url)
    await functions.invoked(() => true)
    let stopped = false
    const stopping = gateway?.stop().then(() => {
      stopped = true
    })
    gateway = undefined
    await new Promise((resolve) => setImmediate(resolve))
    expect(stopped).toBe(false)
    held.open({ statusCode: 200, body: 'done' })
    expect(await (await answer).text()).toBe('done')
    await stopping
  })
})
