/** Contact and device look-up: which numbers are on WhatsApp, their LIDs, and the devices that a message must be encrypted for. */

import { type BinaryNode, child, children, contentBytes, node } from './binary-node.ts'
import type { Account } from './directory.ts'
import { formatJid, parseJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** Answers one protocol about one user; undefined leaves it out. */
type Protocol = (account: Account | undefined, askedByLid: boolean) => BinaryNode | undefined

const PROTOCOLS: Record<string, Protocol> = {
  contact: (account) => node('contact', { type: account ? 'in' : 'out' }),
  // Who asks by LID knows it; the mapping is for who asks by number.
  lid: (account, askedByLid) =>
    account && !askedByLid ? node('lid', { val: formatJid(account.lid, 'lid') }) : undefined,
  devices: (account) => account && node('devices', {}, [deviceList(account)]),
  business: () => undefined,
  status: () => undefined,
  disappearing_mode: () => undefined,
  picture: () => undefined,
}

/** Other than device 0, a device without key-index would be left out by clients. */
function deviceList(account: Account): BinaryNode {
  const companions = [...account.companions.values()].map(({ address, keyIndex }) =>
    node('device', { id: address.device.toString(), 'key-index': keyIndex.toString() }),
  )
  return node('device-list', {}, [node('device', { id: '0' }), ...companions])
}

export function answerUsync(simulator: Simulator, usync: BinaryNode): BinaryNode {
  const protocols = children(child(usync, 'query')).map(({ tag }) => tag)
  const users = children(child(usync, 'list'), 'user').map((user) => {
    const typed = contentBytes(child(user, 'contact'))?.toString().replaceAll(/\D/g, '')
    const jid = user.attrs.jid ?? formatJid(typed ?? '', 's.whatsapp.net')
    const account = simulator.directory.accountOf(jid)
    const askedByLid = parseJid(jid)?.server === 'lid'
    const answers = protocols.map((protocol) => PROTOCOLS[protocol]?.(account, askedByLid))
    return node(
      'user',
      { jid },
      answers.filter((answer) => answer !== undefined),
    )
  })
  const { sid = '', mode = 'query', context = 'interactive' } = usync.attrs
  const results = node(
    'result',
    {},
    protocols.map((protocol) => node(protocol)),
  )
  return node('usync', { sid, mode, context, index: '0', last: 'true' }, [results, node('list', {}, users)])
}
