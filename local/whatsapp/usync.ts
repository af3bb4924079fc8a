/** Contact and device look-up: which numbers are on WhatsApp, their LIDs, and the devices that a message must be encrypted for. */

import { type BinaryNode, child, children, contentBytes, node } from './binary-node.ts'
import type { Account } from './directory.ts'
import { formatJid, parseJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** Answers one protocol about one user; undefined leaves it out. */
type Protocol = (account: Account | undefined, askedByLid: boolean, asking: string) => BinaryNode | undefined

const PROTOCOLS: Record<string, Protocol> = {
  contact: (account) => node('contact', { type: account ? 'in' : 'out' }),
  // Who asks by LID knows it; the mapping is for who asks by number.
  lid: (account, askedByLid) =>
    account && !askedByLid ? node('lid', { val: formatJid(account.lid, 'lid') }) : undefined,
  devices: (account) => account && node('devices', {}, [deviceList(account)]),
  business: () => undefined,
  status: (account, _, asking) => {
    if (!account) return undefined
    const { about, aboutAt, privacy, blocked } = account.profile
    // Clients read 401 as "has one, but not for you".
    if (privacy.status === 'none' || blocked.has(asking)) return node('status', { code: '401' })
    return node('status', { t: aboutAt.toString() }, Buffer.from(about))
  },
  disappearing_mode: (account) => {
    if (!account) return undefined
    const { disappearingSeconds, disappearingAt } = account.profile
    return node('disappearing_mode', { duration: disappearingSeconds.toString(), t: disappearingAt.toString() })
  },
  picture: () => undefined,
}

/** Other than device 0, a device without key-index would be left out by clients. */
function deviceList(account: Account): BinaryNode {
  const companions = [...account.companions.values()].map(({ address, keyIndex }) =>
    node('device', { id: address.device.toString(), 'key-index': keyIndex.toString() }),
  )
  return node('device-list', {}, [node('device', { id: '0' }), ...companions])
}

/** `asking` is the number whose device asks. */
export function answerUsync(simulator: Simulator, asking: string, usync: BinaryNode): BinaryNode {
  const protocols = children(child(usync, 'query')).map(({ tag }) => tag)
  const users = children(child(usync, 'list'), 'user').map((user) => {
    const typed = contentBytes(child(user, 'contact'))?.toString().replaceAll(/\D/g, '')
    const jid = user.attrs.jid ?? formatJid(typed ?? '', 's.whatsapp.net')
    const account = simulator.directory.accountOf(jid)
    const askedByLid = parseJid(jid)?.server === 'lid'
    const answers = protocols.map((protocol) => PROTOCOLS[protocol]?.(account, askedByLid, asking))
    return node(
      'user',
      { jid },
      answers.filter((answer) => answer !== undefined),
    )
  })
  if (protocols.includes('devices')) simulator.stats.deviceListsAsked += users.length
  const { sid = '', mode = 'query', context = 'interactive' } = usync.attrs
  const results = node(
    'result',
    {},
    protocols.map((protocol) => node(protocol)),
  )
  return node('usync', { sid, mode, context, index: '0', last: 'true' }, [results, node('list', {}, users)])
}
