/** What the devices of a group's members are told when the group changes: `w:gp2` notifications. */

import { randomBytes } from 'node:crypto'
import { type Attributes, type BinaryNode, node, unixSeconds } from './binary-node.ts'
import type { GroupChange } from './group-changes.ts'
import { addMode, approvalNode, groupNode, participantNode } from './group-nodes.ts'
import type { Group } from './groups.ts'
import { formatJid, lidOf } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** Beside what members change: what the server tells by itself. */
export type ToldChange =
  | GroupChange
  | { kind: 'create' }
  | { kind: 'joinRequest' }
  | { kind: 'add'; participants: string[]; reason: 'invite' }

export function announceChange(
  simulator: Simulator,
  group: Group,
  actor: string,
  change: ToldChange,
  concerned: Iterable<string>,
): void {
  const { directory, now } = simulator
  const told = change.kind === 'picture' ? pictureNode(group, actor, change.id) : changeNode(group, actor, change)
  const attrs: Attributes = {
    id: randomBytes(8).toString('hex').toUpperCase(),
    from: group.id,
    type: change.kind === 'picture' ? 'picture' : 'w:gp2',
    participant: group.jidOf(actor),
    addressing_mode: group.record.addressingMode,
    t: unixSeconds(now()),
    notify: directory.account(actor)?.phone.settings.name || actor,
  }
  if (group.record.addressingMode === 'lid') attrs.participant_pn = formatJid(actor, 's.whatsapp.net')
  else attrs.participant_lid = formatJid(lidOf(actor), 'lid')
  const notice = node('notification', attrs, [told])
  for (const number of concerned) {
    for (const companion of directory.account(number)?.companions.values() ?? []) companion.mailbox.deliver(notice)
  }
}

function changeNode(group: Group, actor: string, change: Exclude<ToldChange, { kind: 'picture' }>): BinaryNode {
  switch (change.kind) {
    case 'create':
      return node('create', {}, [groupNode(group)])
    case 'add':
    case 'remove':
    case 'promote':
    case 'demote': {
      const attrs: Attributes = 'reason' in change ? { reason: change.reason } : {}
      return node(
        change.kind,
        attrs,
        change.participants.map((number) => participantNode(group, number)),
      )
    }
    case 'approve':
      return node(
        'add',
        { reason: 'approved' },
        change.participants.map((number) => participantNode(group, number)),
      )
    case 'reject':
      return node(
        'revoked_membership_requests',
        {},
        change.participants.map((number) => participantNode(group, number)),
      )
    case 'joinRequest':
      return node('created_membership_requests', { request_method: 'invite_link' }, [participantNode(group, actor)])
    case 'leave':
      // A member that leaves removes itself; clients tell the two apart by the author.
      return node('remove', {}, [participantNode(group, actor)])
    case 'subject':
      return node('subject', { subject: change.subject, s_t: group.record.subjectAt.toString() })
    case 'description':
      return change.text === undefined
        ? node('description', {}, [node('delete')])
        : node('description', { id: group.record.description?.id ?? '' }, [node('body', {}, Buffer.from(change.text))])
    case 'announcement':
      return node(change.on ? 'announcement' : 'not_announcement')
    case 'locked':
      return node(change.on ? 'locked' : 'unlocked')
    case 'allMayAdd':
      return node('member_add_mode', {}, Buffer.from(addMode(change.on)))
    case 'joinApproval':
      return approvalNode(change.on)
    case 'ephemeral':
      return change.seconds > 0 ? node('ephemeral', { expiration: change.seconds.toString() }) : node('not_ephemeral')
    case 'revokeInvite':
      return node('invite', { code: group.record.inviteCode })
  }
}

function pictureNode(group: Group, actor: string, id: string | undefined): BinaryNode {
  const author = group.jidOf(actor)
  return id === undefined ? node('delete', { author }) : node('set', { id, author })
}
