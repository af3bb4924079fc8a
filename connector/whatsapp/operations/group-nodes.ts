import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  getBinaryNodeChildString,
} from '@whiskeysockets/baileys'
import type { Group, GroupParticipant, GroupRole, GroupSummary } from '../../../shared/domain/operations.ts'
import type { ConnectionAuthState } from '../../auth/auth-state.ts'
import { isOwn, personOf } from './persons.ts'

type State = Pick<ConnectionAuthState, 'creds' | 'read'>

/** A `<group>` as WhatsApp describes it. Participants that it could not take (`error`) are not in it. */
export function readGroup(node: BinaryNode, state: State): Group {
  const { attrs } = node
  const members = getBinaryNodeChildren(node, 'participant').filter((each) => each.attrs.error === undefined)
  const own = members.find((member) => isOwn(idsOf(member), state))
  const description = getBinaryNodeChildString(getBinaryNodeChild(node, 'description'), 'body')
  const owner = attrs.creator === undefined ? undefined : personOf([attrs.creator, attrs.creator_pn], state)
  const createdAt = Number(attrs.creation ?? 0) * 1000
  const ephemeral = Number(getBinaryNodeChild(node, 'ephemeral')?.attrs.expiration ?? 0)
  return {
    groupId: groupIdOf(attrs.id ?? ''),
    subject: attrs.subject ?? '',
    ...(description && { description }),
    ...(owner && { owner }),
    ...(createdAt > 0 && { createdAt: new Date(createdAt).toISOString() }),
    size: attrs.size === undefined ? members.length : Number(attrs.size),
    role: roleOf(own?.attrs.type),
    announce: has(node, 'announcement'),
    locked: has(node, 'locked'),
    joinApproval: has(node, 'membership_approval_mode') && approvalIsOn(node),
    ...(ephemeral > 0 && { disappearAfterSeconds: ephemeral }),
    participants: members.map(
      (member): GroupParticipant => ({ ...personOf(idsOf(member), state), role: roleOf(member.attrs.type) }),
    ),
  }
}

export function summaryOf({ participants: _, ...summary }: Group): GroupSummary {
  return summary
}

/** Both addresses of a participant, as far as they are told. */
export const idsOf = ({ attrs }: BinaryNode): readonly (string | undefined)[] => [
  attrs.jid,
  attrs.phone_number,
  attrs.lid,
]

export const groupIdOf = (id: string): string => (id.includes('@') ? id : `${id}@g.us`)

function roleOf(type: string | undefined): GroupRole {
  if (type === 'superadmin') return 'owner'
  return type === 'admin' ? 'admin' : 'member'
}

const has = (node: BinaryNode, tag: string): boolean => getBinaryNodeChild(node, tag) !== undefined

function approvalIsOn(node: BinaryNode): boolean {
  const mode = getBinaryNodeChild(getBinaryNodeChild(node, 'membership_approval_mode'), 'group_join')
  return mode?.attrs.state !== 'off'
}
