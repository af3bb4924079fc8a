import { createServer, type RequestOptions, request as requestHttp, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { fetchLink, type LinkLimits, linkLimits } from '../../shared/net/fetch-link.ts'

/** A public host with a certificate, as far as a test can have one: its requests come to the server below. */
const publicHost = 'files.example.com'
let server: Server
let port: number
const asked: string[] = []

vi.mock('node:https', () => ({
  request: (url: URL, options: RequestOptions) => {
    asked.push(url.href)
    // What is not the public host is connected to as it says, with the guard that was given.
    if (url.hostname !== publicHost) return requestHttp(`http://${url.host}${url.pathname}`, options)
    const { lookup: _, ...rest } = options
    return requestHttp(`http://127.0.0.1:${port}${url.pathname}`, rest)
  },
}))

beforeAll(async () => {
  server = createServer((request, response) => {
    const to = decodeURIComponent((request.url ?? '').slice(1))
    if (to === 'tea.png') response.writeHead(200, { 'content-type': 'image/png' }).end('tea')
    else if (to === 'declared') response.writeHead(200, { 'content-length': 101 }).end('x'.repeat(101))
    else if (to === 'undeclared') response.writeHead(200).end('x'.repeat(101))
    else if (to === 'silent') response.writeHead(200).write('x')
    else if (to === 'broken') response.writeHead(200, { 'content-length': 50 }).write('x', () => response.destroy())
    else if (to === 'mute') return
    else if (to === '/circle') response.writeHead(302, { location: '/%2Fcircle' }).end()
    else if (/^\d+$/.test(to)) response.writeHead(Number(to)).end()
    else response.writeHead(302, { location: to }).end()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  port = (server.address() as AddressInfo).port
})
afterAll(() => server?.close())

const fetchFrom = (target: string, limits: Partial<LinkLimits> = {}) =>
  fetchLink(`https://${publicHost}/${encodeURIComponent(target)}`, 'public', {
    ...linkLimits,
    bytesMax: 100,
    ...limits,
  })

test('a redirect from a public host to itself is followed', async () => {
  const { contentType, filename, body } = await fetchFrom('/tea.png')
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  expect([contentType, filename, Buffer.concat(chunks).toString()]).toEqual(['image/png', 'tea.png', 'tea'])
})

test.each([
  ['the address of instance metadata', () => 'https://169.254.169.254/latest/meta-data/'],
  ['a loopback address', () => `https://127.0.0.1:${port}/tea.png`],
  ['a loopback address in IPv6', () => `https://[::1]:${port}/tea.png`],
  ['a name that leads to a private address', () => `https://localhost:${port}/tea.png`],
])('a redirect from a public host to %s is not followed', async (_what, target) => {
  await expect(fetchFrom(target())).rejects.toThrow(/leads to an address that is not public$/)
})

test('a redirect away from TLS is not followed', async () => {
  await expect(fetchFrom(`http://${publicHost}/tea.png`)).rejects.toThrow(/https/)
  expect(asked.every((href) => href.startsWith('https://'))).toBe(true)
})

test.each<[string, string, RegExp, boolean, Partial<LinkLimits>?]>([
  ['declares more bytes than are taken', 'declared', /gives more than 100 bytes/, false],
  ['gives more bytes than are taken, without saying so before', 'undeclared', /gives more than 100 bytes/, false],
  ['does not have it', '404', /answered 404/, false],
  ['has too much to do', '503', /answered 503/, true],
  ['redirects in a circle', '/circle', /redirects more than 3 times/, false],
  ['never answers', 'mute', /did not answer in time/, true, { headMs: 100 }],
  ['falls silent', 'silent', /fell silent/, true, { silenceMs: 100 }],
  ['breaks off', 'broken', /could not be reached/, true],
])('a host that %s is a failure, with a reason', async (_what, target, message, retryable, limits: Partial<LinkLimits> = {}) => {
  const read = async () => {
    const { body } = await fetchFrom(target, limits)
    for await (const _ of body);
  }
  await expect(read()).rejects.toMatchObject({ message: expect.stringMatching(message), retryable })
})
