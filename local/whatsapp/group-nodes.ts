/** A group on the wire: `<group>` as queries and notices show it, and its participants. */

import { type Attributes, type BinaryNode, node } from './binary-node.ts'
import type { Group } from './groups.ts'
import { formatJid, lidOf } from './jids.ts'

/** `lid` and `phone_number` beside the address itself: members are known by both. */
export function participantNode(group: Group, phoneNumber: string, more: Attributes = {}): BinaryNode {
  const attrs: Attributes = { jid: group.jidOf(phoneNumber), ...more }
  if (group.record.addressingMode === 'lid') attrs.phone_number = formatJid(phoneNumber, 's.whatsapp.net')
  else attrs.lid = formatJid(lidOf(phoneNumber), 'lid')
  return node('participant', attrs)
}

/** An author under both names, as attributes `<name>` and `<name>_pn`. */
function author(group: Group, name: string, phoneNumber: string): Attributes {
  return { [name]: group.jidOf(phoneNumber), [`${name}_pn`]: formatJid(phoneNumber, 's.whatsapp.net') }
}

export function groupNode(group: Group): BinaryNode {
  const { record } = group
  const attrs: Attributes = {
    id: record.id.split('@')[0] ?? '',
    subject: record.subject,
    s_t: record.subjectAt.toString(),
    creation: record.createdAt.toString(),
    size: group.participants.size.toString(),
    addressing_mode: record.addressingMode,
    ...author(group, 's_o', record.subjectOwner),
    ...author(group, 'creator', record.creator),
  }
  const participants = [...group.participants].map(([number, role]) =>
    participantNode(group, number, role === 'member' ? {} : { type: role }),
  )
  return node('group', attrs, [...participants, ...settingNodes(group)])
}

function settingNodes(group: Group): BinaryNode[] {
  const { record } = group
  const nodes: BinaryNode[] = []
  if (record.description) {
    const { id, text, owner, at } = record.description
    const attrs = { id, t: at.toString(), ...author(group, 'participant', owner) }
    nodes.push(node('description', attrs, [node('body', {}, Buffer.from(text))]))
  }
  if (record.announce) nodes.push(node('announcement'))
  if (record.locked) nodes.push(node('locked'))
  if (record.ephemeralSeconds > 0) nodes.push(node('ephemeral', { expiration: record.ephemeralSeconds.toString() }))
  if (record.joinApproval) nodes.push(approvalNode(true))
  nodes.push(node('member_add_mode', {}, Buffer.from(addMode(record.allMayAdd))))
  return nodes
}

export function approvalNode(on: boolean): BinaryNode {
  return node('membership_approval_mode', {}, [node('group_join', { state: on ? 'on' : 'off' })])
}

export function addMode(allMayAdd: boolean): string {
  return allMayAdd ? 'all_member_add' : 'admin_add'
}
