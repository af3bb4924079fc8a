import type { lookup } from 'node:dns'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { describe, expect, test } from 'vitest'
import {
  checkTarget,
  checkTargetHost,
  guardedLookup,
  isPublicAddress,
  TargetRefused,
} from '../../shared/net/targets.ts'

const notPublic = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.9.9.9',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'ff02::1',
  'not an address',
]

describe('addresses', () => {
  test.each(notPublic)('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false))
  test.each(['1.1.1.1', '52.95.110.1', '172.32.0.1', '2606:4700::1111'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true))
})

describe('URLs', () => {
  test.each([
    'http://example.com/',
    'ftp://example.com/',
    'https://user:secret@example.com/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest/meta-data/',
  ])('%s is refused', (url) => expect(() => checkTarget(new URL(url), 'public')).toThrow(TargetRefused))

  test('this machine is only reached where a setting says so', () => {
    expect(() => checkTarget(new URL('http://127.0.0.1:8080/'), 'any')).not.toThrow()
    expect(() => checkTarget(new URL('https://user@127.0.0.1/'), 'any')).toThrow(TargetRefused)
  })
})

/** A name service of our own. */
const names = (answers: Readonly<Record<string, readonly string[]>>) =>
  ((host: string, _options: unknown, callback: (error: Error | null, addresses: unknown) => void) => {
    const found = answers[host]
    if (found === undefined) callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), [])
    else
      callback(
        null,
        found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  }) as unknown as typeof lookup

describe('names', () => {
  const known = names({
    'good.example': ['1.1.1.1'],
    'mixed.example': ['1.1.1.1', '10.0.0.1'],
    'in.example': ['fd00::1'],
  })

  test.each(['mixed.example', 'in.example', 'unknown.example'])('%s is refused', async (host) => {
    await expect(checkTargetHost(new URL(`https://${host}/`), 'public', known)).rejects.toThrow(TargetRefused)
  })

  test('a name with public addresses only is taken', async () => {
    await checkTargetHost(new URL('https://good.example/'), 'public', known)
  })

  test('a name that turns private after it was checked meets a refusal when the socket connects', async () => {
    let calls = 0
    const server = createServer((_request, response) => {
      calls += 1
      response.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('expected a port')
    const rebound = names({ 'rebound.example': ['127.0.0.1'] })
    const through = (scope: 'public' | 'any') =>
      new Promise<number | undefined>((done, fail) => {
        const request = get(
          { host: 'rebound.example', port: address.port, lookup: guardedLookup(scope, rebound) },
          (response) => {
            response.resume()
            done(response.statusCode)
          },
        )
        request.once('error', fail)
      })
    await expect(through('public')).rejects.toThrow(TargetRefused)
    expect(calls).toBe(0)
    expect(await through('any')).toBe(200)
    server.closeAllConnections()
    server.close()
  })
})
