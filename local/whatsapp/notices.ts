/** What the server tells the linked devices of everyone who exchanged messages with an account when that account changes. */

import { createHash } from 'node:crypto'
import { type BinaryNode, node, unixSeconds } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Account } from './directory.ts'
import { formatJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** A companion was linked or unlinked: clients that cache the device list of this number must change it. */
export function announceDevice(
  simulator: Simulator,
  account: Account,
  companion: CompanionDevice,
  change: 'add' | 'remove',
): void {
  const { device } = companion.address
  const keys = [...account.companions.keys()].join(',')
  const hash = createHash('sha256').update(keys).digest('base64').slice(0, 6)
  const list = node(change, { device_hash: `2:${hash}` }, [
    node('device', {
      jid: formatJid(account.phoneNumber, 's.whatsapp.net', device),
      lid: formatJid(account.lid, 'lid', device),
      'key-index': companion.keyIndex.toString(),
    }),
    node('key-index-list', { ts: unixSeconds(simulator.now()) }),
  ])
  const id = `devices-${change}-${companion.key}`
  const attrs = { id, type: 'devices', lid: formatJid(account.lid, 'lid') }
  for (const listener of listeners(simulator, account)) {
    if (listener !== companion) notify(simulator, listener, account, attrs, [list])
  }
}

/** The phone was set up anew: sessions with the old identity are of no use. */
export function announceIdentity(simulator: Simulator, account: Account, peers: Iterable<string>): void {
  const id = `identity-${account.phoneNumber}-${simulator.now()}`
  const attrs = { id, type: 'encrypt', lid: formatJid(account.lid, 'lid') }
  for (const listener of companionsOf(simulator, peers)) {
    notify(simulator, listener, account, attrs, [node('identity')])
  }
}

function listeners(simulator: Simulator, account: Account): CompanionDevice[] {
  return companionsOf(simulator, new Set([account.phoneNumber, ...account.phone.signal.peers()]))
}

function companionsOf({ directory }: Simulator, phoneNumbers: Iterable<string>): CompanionDevice[] {
  return [...phoneNumbers].flatMap((each) => [...(directory.account(each)?.companions.values() ?? [])])
}

function notify(
  simulator: Simulator,
  listener: CompanionDevice,
  about: Account,
  attrs: BinaryNode['attrs'],
  content: BinaryNode[],
): void {
  const from = formatJid(about.phoneNumber, 's.whatsapp.net')
  listener.mailbox.deliver(node('notification', { ...attrs, from, t: unixSeconds(simulator.now()) }, content))
}
