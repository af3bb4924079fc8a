import { jidDecode, type SignalKeyStore, WAJIDDomains } from '@whiskeysockets/baileys'
import { ProtocolAddress } from 'libsignal'

/**
 * A Signal address of one account's contact. libsignal's job queue is one per process and keyed by `toString()`: without the
 * account in it, one account's work delays another's with the same contact. Records are stored under `record`, which is
 * what Baileys would store them under.
 */
export class QualifiedAddress extends ProtocolAddress {
  readonly record: string
  readonly #account: string

  constructor(account: string, name: string, device: number) {
    super(name, device)
    this.record = `${name}.${device}`
    this.#account = account
  }

  override toString(): string {
    return `${this.#account}|${this.record}`
  }
}

/** Record name of a storage call that libsignal made with a `QualifiedAddress`. */
export function recordOf(address: string): string {
  return address.slice(address.lastIndexOf('|') + 1)
}

export interface AddressParts {
  readonly name: string
  readonly device: number
}

/** As written in the JID, without regard to known LIDs. */
export function literalAddress(jid: string): AddressParts {
  const decoded = jidDecode(jid)
  if (decoded === undefined || decoded.user === '') throw new Error(`JID: expected user@server, got "${jid}"`)
  const { user, domainType } = decoded
  const device = decoded.device ?? 0
  return {
    name: domainType === undefined || domainType === WAJIDDomains.WHATSAPP ? user : `${user}_${domainType}`,
    device,
  }
}

/**
 * Where a contact's session lies: under the LID where one is known, whichever of its two ids was asked for. Both ids then
 * share one queue, too. Never asks the network.
 */
export async function sessionAddress(jid: string, keys: Pick<SignalKeyStore, 'get'>): Promise<AddressParts> {
  const decoded = jidDecode(jid)
  if (decoded === undefined) throw new Error(`JID: expected user@server, got "${jid}"`)
  const { domainType } = decoded
  const hosted = domainType === WAJIDDomains.HOSTED
  if (domainType !== undefined && domainType !== WAJIDDomains.WHATSAPP && !hosted) return literalAddress(jid)
  const lid = (await keys.get('lid-mapping', [decoded.user]))[decoded.user]
  if (lid === undefined) return literalAddress(jid)
  return { name: `${lid}_${hosted ? WAJIDDomains.HOSTED_LID : WAJIDDomains.LID}`, device: decoded.device ?? 0 }
}
