import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * Which hosts an address that a caller gave may lead to. `public`: the Internet only. `any`: also this machine and private
 * networks; for local mode and tests, never the default.
 */
export const targetScopes = ['public', 'any'] as const
export type TargetScope = (typeof targetScopes)[number]

/** The address leads where it must not. The message is for the caller who gave it. */
export class TargetRefused extends Error {
  override readonly name = 'TargetRefused'
}

/** Outside of this block IPv6 addresses are not public, or only wrap an IPv4 address (RFC 4291, IANA's registry). */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an IP address is one of the public Internet: not private, loopback, link-local (cloud metadata), shared,
 * multicast or reserved, in either family, also where IPv6 wraps IPv4. What is no address is not.
 */
export function isPublicAddress(address: string): boolean {
  // A zone (`fe80::1%eth0`) only goes with addresses that are not public.
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(globalUnicast)
}

/**
 * What can be said of a URL without asking the name service: its scheme, that it carries no credentials, and the address
 * where its host is one, in any spelling that URLs know.
 *
 * @throws TargetRefused
 */
export function checkTarget(url: URL, scope: TargetScope): void {
  if (url.protocol !== 'https:' && !(scope === 'any' && url.protocol === 'http:')) {
    throw new TargetRefused('must be an https:// address')
  }
  if (url.username !== '' || url.password !== '') throw new TargetRefused('must not carry a user name or a password')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (scope === 'public' && ipaddr.isValid(host) && !isPublicAddress(host)) throw notPublic()
}

const notPublic = () => new TargetRefused('leads to an address that is not public')

/**
 * A `lookup` for sockets that refuses names with any address that is not public. It decides on the very answer that the
 * socket then connects to, so a name that changes its address meanwhile (DNS rebinding) gains nothing. Sockets do not look
 * up a host that is an address already: `checkTarget` does that.
 */
export function guardedLookup(scope: TargetScope, resolve: typeof lookup = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...(options as LookupOptions), all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      if (first === undefined) return callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0)
      if (scope === 'public' && !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(notPublic(), '', 0)
      }
      if ((options as LookupOptions).all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

/**
 * The same question before anything is sent, for an early answer to whoever gives an address. Resolves where the host may be
 * called as far as can be seen now.
 *
 * @throws TargetRefused, also where the name is not known
 */
export async function checkTargetHost(url: URL, scope: TargetScope, resolve: typeof lookup = lookup): Promise<void> {
  checkTarget(url, scope)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (scope === 'any' || ipaddr.isValid(host)) return
  await new Promise<void>((done, fail) => {
    guardedLookup(scope, resolve)(host, {}, (error) => {
      if (error === null) done()
      else fail(error instanceof TargetRefused ? error : new TargetRefused('has a host name that is not known'))
    })
  })
}
