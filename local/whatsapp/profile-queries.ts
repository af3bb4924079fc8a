/** What clients ask and change about accounts: pictures, about, privacy, the block list. */

import { type BinaryNode, childBytes, children, contentBytes, node } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Account } from './directory.ts'
import type { GroupAnswer as Answer } from './group-queries.ts'
import { formatJid } from './jids.ts'
import { pictureNode, setAccountPicture, setGroupPicture } from './pictures.ts'
import type { Simulator } from './simulator.ts'

export interface ProfileContext {
  simulator: Simulator
  device: CompanionDevice
  account: Account
  iq: BinaryNode
  query: BinaryNode
}

const NOT_FOUND: Answer = { kind: 'error', code: 404, text: 'item-not-found' }
const BAD_REQUEST: Answer = { kind: 'error', code: 400, text: 'bad-request' }
const DONE: Answer = { kind: 'result' }

/** By `xmlns type child`, as the table in `iq.ts`. */
export const PROFILE_QUERIES: Record<string, (context: ProfileContext) => Answer | Promise<Answer>> = {
  'w:profile:picture get picture': getPicture,
  'w:profile:picture set picture': setPicture,
  // Without a child the picture is taken away.
  'w:profile:picture set': setPicture,
  'status set status': ({ simulator, account, query }) => {
    const aboutAt = Math.floor(simulator.now() / 1000)
    account.profile.change({ about: contentBytes(query)?.toString() ?? '', aboutAt })
    return DONE
  },
  'disappearing_mode set disappearing_mode': ({ simulator, account, query }) => {
    const disappearingAt = Math.floor(simulator.now() / 1000)
    account.profile.change({ disappearingSeconds: Number(query.attrs.duration ?? 0), disappearingAt })
    return DONE
  },
  'privacy get privacy': ({ account }) => ({
    kind: 'result',
    content: [
      node(
        'privacy',
        {},
        Object.entries(account.profile.privacy).map(([name, value]) => node('category', { name, value })),
      ),
    ],
  }),
  'privacy set privacy': ({ account, query }) => {
    for (const { attrs } of children(query, 'category')) {
      if (attrs.name && attrs.value) account.profile.setPrivacy(attrs.name, attrs.value)
    }
    return DONE
  },
  'blocklist get': ({ simulator, account }) => ({ kind: 'result', content: [blockList(simulator, account)] }),
  'blocklist set item': block,
}

function getPicture({ simulator, account, iq, query }: ProfileContext): Answer {
  const target = iq.attrs.target
  const group = simulator.groups.get(target)
  const type = query.attrs.type ?? 'preview'
  if (group) {
    const picture = group.isMember(account.phoneNumber) ? pictureNode(simulator, group.record, type) : undefined
    return picture ? { kind: 'result', content: [picture] } : NOT_FOUND
  }
  const shown = target === undefined ? account : simulator.directory.accountOf(target)
  const hidden = shown && shown !== account && shown.profile.blocked.has(account.phoneNumber)
  if (shown && shown !== account && shown.profile.privacy.profile === 'none') {
    return { kind: 'error', code: 401, text: 'not-authorized' }
  }
  const picture = shown && !hidden ? pictureNode(simulator, shown.profile, type) : undefined
  return picture ? { kind: 'result', content: [picture] } : NOT_FOUND
}

async function setPicture({ simulator, account, iq }: ProfileContext): Promise<Answer> {
  const { target } = iq.attrs
  const bytes = childBytes(iq, 'picture')
  if (target === undefined) {
    const id = await setAccountPicture(simulator, account, bytes)
    return { kind: 'result', content: id === undefined ? [] : [node('picture', { id })] }
  }
  const group = simulator.groups.get(target)
  if (!group) return NOT_FOUND
  const outcome = await setGroupPicture(simulator, group, account.phoneNumber, bytes)
  if (outcome.kind === 'refused') return { kind: 'error', code: outcome.code, text: outcome.text }
  return {
    kind: 'result',
    content: outcome.pictureId === undefined ? [] : [node('picture', { id: outcome.pictureId })],
  }
}

function block(context: ProfileContext): Answer {
  const { simulator, device, account, query } = context
  const { action, jid } = query.attrs
  const other = simulator.directory.accountOf(jid)
  if (!other || (action !== 'block' && action !== 'unblock')) return other ? BAD_REQUEST : NOT_FOUND
  account.profile.setBlocked(other.phoneNumber, action === 'block')
  const notice = node(
    'notification',
    {
      id: `blocklist-${other.phoneNumber}-${simulator.now()}`,
      from: formatJid(account.phoneNumber, 's.whatsapp.net'),
      type: 'account_sync',
      t: Math.floor(simulator.now() / 1000).toString(),
    },
    [node('blocklist', {}, [node('item', { jid: formatJid(other.lid, 'lid'), action })])],
  )
  for (const companion of account.companions.values()) if (companion !== device) companion.mailbox.deliver(notice)
  return { kind: 'result', content: [blockList(simulator, account)] }
}

function blockList({ directory }: Simulator, account: Account): BinaryNode {
  const items = [...account.profile.blocked].flatMap((number) => {
    const other = directory.account(number)
    return other
      ? [node('item', { jid: formatJid(other.lid, 'lid'), pn_jid: formatJid(number, 's.whatsapp.net') })]
      : []
  })
  return node('list', {}, items)
}
