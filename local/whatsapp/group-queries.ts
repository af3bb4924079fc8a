/** Groups as clients ask for them and change them: the `w:g2` queries, by `type child`. */

import { type BinaryNode, child, childBytes, children, contentBytes, node } from './binary-node.ts'
import { changeGroup, createGroup, type GroupChange, joinByInvite } from './group-changes.ts'
import { groupNode, participantNode } from './group-nodes.ts'
import type { Group } from './groups.ts'
import { parseJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

export type GroupAnswer = { kind: 'result'; content?: BinaryNode[] } | { kind: 'error'; code: number; text: string }

interface GroupContext {
  simulator: Simulator
  /** The phone number of the device that asks. */
  actor: string
  query: BinaryNode
}

const NOT_FOUND: GroupAnswer = { kind: 'error', code: 404, text: 'item-not-found' }
const FORBIDDEN: GroupAnswer = { kind: 'error', code: 403, text: 'forbidden' }
const BAD_REQUEST: GroupAnswer = { kind: 'error', code: 400, text: 'bad-request' }

/** Addressed to `@g.us`: about groups that are not known yet, or about several. */
const ABOUT_GROUPS: Record<string, (context: GroupContext) => GroupAnswer> = {
  'get participating': ({ simulator, actor }) => result(node('groups', {}, simulator.groups.of(actor).map(groupNode))),
  'get invite': ({ simulator, query }) => {
    const group = simulator.groups.byInvite(query.attrs.code)
    return group ? result(groupNode(group)) : { kind: 'error', code: 406, text: 'not-acceptable' }
  },
  'set invite': ({ simulator, actor, query }) => {
    const outcome = joinByInvite(simulator, actor, query.attrs.code)
    switch (outcome.kind) {
      case 'joined':
        return result(node('group', { jid: outcome.group.id }))
      case 'requested':
        return result(node('membership_approval_request', { jid: outcome.group.id }))
      case 'refused':
        return { kind: 'error', code: outcome.code, text: outcome.text }
    }
  },
  'set create': ({ simulator, actor, query }) => {
    const { subject } = query.attrs
    if (!subject) return BAD_REQUEST
    return result(groupNode(createGroup(simulator, actor, { subject, participants: numbers(simulator, query) })))
  },
  'set leave': ({ simulator, actor, query }) => {
    const left = children(query, 'group').map(({ attrs }) => {
      const group = simulator.groups.get(attrs.id)
      const outcome = group && changeGroup(simulator, group, actor, { kind: 'leave' })
      return node('group', { id: attrs.id ?? '', ...(outcome?.kind === 'done' ? {} : { error: '404' }) })
    })
    return result(node('leave', {}, left))
  },
}

/** Addressed to one group, by what only reads. */
const ABOUT_GROUP: Record<string, (context: GroupContext, group: Group) => GroupAnswer> = {
  'get query': (_, group) => result(groupNode(group)),
  'get invite': ({ actor }, group) =>
    group.isAdmin(actor)
      ? result(node('invite', { code: group.record.inviteCode }))
      : { kind: 'error', code: 401, text: 'not-authorized' },
  'get membership_approval_requests': (_, group) =>
    result(
      node(
        'membership_approval_requests',
        {},
        group.record.joinRequests.map(([number, at]) =>
          node('membership_approval_request', { jid: group.jidOf(number), request_time: at.toString() }),
        ),
      ),
    ),
}

/** What a `set` to one group changes; undefined for one that lacks what it needs. */
const CHANGES: Record<string, (context: GroupContext) => GroupChange | undefined> = {
  add: ({ simulator, query }) => ({ kind: 'add', participants: numbers(simulator, query) }),
  remove: ({ simulator, query }) => ({ kind: 'remove', participants: numbers(simulator, query) }),
  promote: ({ simulator, query }) => ({ kind: 'promote', participants: numbers(simulator, query) }),
  demote: ({ simulator, query }) => ({ kind: 'demote', participants: numbers(simulator, query) }),
  subject: ({ query }) => ({ kind: 'subject', subject: contentBytes(query)?.toString() ?? '' }),
  description: ({ query }) => ({
    kind: 'description',
    text: childBytes(query, 'body')?.toString(),
    id: query.attrs.id,
  }),
  announcement: () => ({ kind: 'announcement', on: true }),
  not_announcement: () => ({ kind: 'announcement', on: false }),
  locked: () => ({ kind: 'locked', on: true }),
  unlocked: () => ({ kind: 'locked', on: false }),
  ephemeral: ({ query }) => ({ kind: 'ephemeral', seconds: Number(query.attrs.expiration ?? 0) }),
  not_ephemeral: () => ({ kind: 'ephemeral', seconds: 0 }),
  member_add_mode: ({ query }) => ({
    kind: 'allMayAdd',
    on: contentBytes(query)?.toString() === 'all_member_add',
  }),
  membership_approval_mode: ({ query }) => ({
    kind: 'joinApproval',
    on: child(query, 'group_join')?.attrs.state === 'on',
  }),
  invite: () => ({ kind: 'revokeInvite' }),
  membership_requests_action: ({ simulator, query }) => {
    const [action] = children(query)
    if (action?.tag !== 'approve' && action?.tag !== 'reject') return undefined
    return { kind: action.tag, participants: numbers(simulator, action) }
  },
}

/** Undefined for a query that the server does not know. */
export function answerGroupQuery(
  simulator: Simulator,
  actor: string,
  iq: BinaryNode,
  query: BinaryNode,
): GroupAnswer | undefined {
  const context = { simulator, actor, query }
  const { to = '', type = 'get' } = iq.attrs
  if (parseJid(to)?.user === '') return ABOUT_GROUPS[`${type} ${query.tag}`]?.(context)
  const group = simulator.groups.get(to)
  if (!group) return NOT_FOUND
  const reading = ABOUT_GROUP[`${type} ${query.tag}`]
  if (reading) return group.isMember(actor) ? reading(context, group) : FORBIDDEN
  const readChange = type === 'set' ? CHANGES[query.tag] : undefined
  return readChange && change(context, group, readChange(context))
}

function change(context: GroupContext, group: Group, wanted: GroupChange | undefined): GroupAnswer {
  const { simulator, actor, query } = context
  if (!wanted) return BAD_REQUEST
  const outcome = changeGroup(simulator, group, actor, wanted)
  if (outcome.kind === 'refused') return { kind: 'error', code: outcome.code, text: outcome.text }
  if (wanted.kind === 'revokeInvite') return result(node('invite', { code: group.record.inviteCode }))
  if (!('participants' in wanted)) return { kind: 'result' }
  const participants = outcome.affected.map(({ phoneNumber, error }) =>
    participantNode(group, phoneNumber, error === undefined ? {} : { error: error.toString() }),
  )
  const [action] = children(query)
  return query.tag === 'membership_requests_action'
    ? result(node(query.tag, {}, [node(action?.tag ?? '', {}, participants)]))
    : result(node(query.tag, {}, participants))
}

/** Numbers that are on WhatsApp by the number that their LID stands for, others as they were given. */
function numbers({ directory }: Simulator, parent: BinaryNode): string[] {
  return children(parent, 'participant').map(
    ({ attrs }) => directory.accountOf(attrs.jid)?.phoneNumber ?? parseJid(attrs.jid)?.user ?? '',
  )
}

function result(...content: BinaryNode[]): GroupAnswer {
  return { kind: 'result', content }
}
