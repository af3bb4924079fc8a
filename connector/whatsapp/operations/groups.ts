import { randomBytes } from 'node:crypto'
import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren, S_WHATSAPP_NET } from '@whiskeysockets/baileys'
import type { Group, GroupInvite, ParticipantChange } from '../../../shared/domain/operations.ts'
import { type OperationContext, type OperationHandlers, Refused } from './context.ts'
import { groupIdOf, idsOf, readGroup, summaryOf } from './group-nodes.ts'
import { personOf } from './persons.ts'
import { errorCodeOf } from './whatsapp-errors.ts'

type GroupKind =
  | 'list_groups'
  | 'get_group'
  | 'create_group'
  | 'leave_group'
  | 'update_group'
  | 'set_group_picture'
  | 'add_participants'
  | 'remove_participants'
  | 'promote_participants'
  | 'demote_participants'
  | 'get_group_invite'
  | 'revoke_group_invite'
  | 'join_group'

export const groupOperations: OperationHandlers<GroupKind> = {
  async list_groups(context) {
    const asked = { tag: 'participating', attrs: {}, content: [tag('participants'), tag('description')] }
    const answer = await ask(context, everyGroup, 'get', asked)
    const nodes = getBinaryNodeChildren(getBinaryNodeChild(answer, 'groups'), 'group')
    return { groups: nodes.map((node) => summaryOf(readGroup(node, context.state))) }
  },

  get_group: (context, { group }) => described(context, group),

  async create_group(context, { subject, description, participants }) {
    const attrs = { subject, key: randomBytes(10).toString('hex').toUpperCase() }
    const answer = await ask(context, everyGroup, 'set', {
      tag: 'create',
      attrs,
      content: participantNodes(participants),
    })
    const created = readGroup(required(answer, 'group'), context.state)
    if (description === undefined) return created
    await context.sock.groupUpdateDescription(created.groupId, description)
    return { ...created, description }
  },

  /** Who is in it no longer has left it: a repeated try says the same. */
  async leave_group(context, { group }) {
    const answer = await ask(context, everyGroup, 'set', {
      tag: 'leave',
      attrs: {},
      content: [{ tag: 'group', attrs: { id: group } }],
    })
    const left = getBinaryNodeChild(getBinaryNodeChild(answer, 'leave'), 'group')
    const code = Number(left?.attrs.error ?? 0)
    if (code !== 0 && !notInIt.has(code)) {
      throw new Refused({
        code: 'rejected_by_whatsapp',
        message: `WhatsApp refused with the code ${code}.`,
        whatsappCode: String(code),
      })
    }
    context.groups.forget(group)
    return { groupId: group }
  },

  async update_group(context, { group, subject, description, announce, locked }) {
    const { sock } = context
    if (subject !== undefined) await sock.groupUpdateSubject(group, subject)
    if (description !== undefined) await sock.groupUpdateDescription(group, description ?? undefined)
    if (announce !== undefined) await sock.groupSettingUpdate(group, announce ? 'announcement' : 'not_announcement')
    if (locked !== undefined) await sock.groupSettingUpdate(group, locked ? 'locked' : 'unlocked')
    return described(context, group)
  },

  /** As it was given: Baileys' own call would scale it with a library that is not installed. */
  async set_group_picture({ sock }, { group, jpeg }) {
    await sock.query({
      tag: 'iq',
      attrs: { to: S_WHATSAPP_NET, target: group, type: 'set', xmlns: 'w:profile:picture' },
      ...(jpeg !== undefined && {
        content: [{ tag: 'picture', attrs: { type: 'image' }, content: Buffer.from(jpeg, 'base64') }],
      }),
    })
    if (jpeg === undefined) return { groupId: group }
    const pictureUrl = await sock.profilePictureUrl(group, 'image')
    return { groupId: group, ...(pictureUrl && { pictureUrl }) }
  },

  add_participants: (context, request) => changeParticipants(context, request, 'add'),
  remove_participants: (context, request) => changeParticipants(context, request, 'remove'),
  promote_participants: (context, request) => changeParticipants(context, request, 'promote'),
  demote_participants: (context, request) => changeParticipants(context, request, 'demote'),

  get_group_invite: (context, { group }) => invite(context, group, 'get'),
  revoke_group_invite: (context, { group }) => invite(context, group, 'set'),

  async join_group(context, { code }) {
    try {
      const answer = await ask(context, everyGroup, 'set', { tag: 'invite', attrs: { code } })
      const requested = getBinaryNodeChild(answer, 'membership_approval_request')
      const group = requested ?? required(answer, 'group')
      const outcome = requested === undefined ? 'joined' : 'requested'
      return { groupId: groupIdOf(group.attrs.jid ?? ''), outcome }
    } catch (error) {
      if (errorCodeOf(error) === notAcceptable) throw badInvite
      if (errorCodeOf(error) !== conflict) throw error
      const { id } = await context.sock.groupGetInviteInfo(code).then((info) => info ?? { id: '' })
      return { groupId: groupIdOf(id), outcome: 'already' }
    }
  },
}

const everyGroup = '@g.us'
const notAcceptable = 406
const conflict = 409
/** Of leaving: not a member, no such group, gone. */
const notInIt: ReadonlySet<number> = new Set([403, 404, 410])

const badInvite = new Refused({
  code: 'not_found',
  message: 'The invite link is not valid any more.',
  whatsappCode: String(notAcceptable),
})

const tag = (name: string): BinaryNode => ({ tag: name, attrs: {} })

function ask({ sock }: OperationContext, to: string, type: 'get' | 'set', what: BinaryNode): Promise<BinaryNode> {
  return sock.query({ tag: 'iq', attrs: { type, xmlns: 'w:g2', to }, content: [what] })
}

async function described(context: OperationContext, group: string): Promise<Group> {
  const answer = await ask(context, group, 'get', { tag: 'query', attrs: { request: 'interactive' } })
  return readGroup(required(answer, 'group'), context.state)
}

async function invite(context: OperationContext, group: string, type: 'get' | 'set'): Promise<GroupInvite> {
  const { code } = required(await ask(context, group, type, tag('invite')), 'invite').attrs
  if (code === undefined) throw new Error('invite: expected a code')
  return { code, url: `https://chat.whatsapp.com/${code}` }
}

const participantNodes = (jids: readonly string[]): BinaryNode[] =>
  jids.map((jid) => ({ tag: 'participant', attrs: { jid } }))

type Action = 'add' | 'remove' | 'promote' | 'demote'

/** That it is so already, said by WhatsApp as an error. */
const alreadySo: Readonly<Record<Action, string | undefined>> = {
  add: String(conflict),
  remove: '404',
  promote: undefined,
  demote: undefined,
}

async function changeParticipants(
  context: OperationContext,
  { group, participants }: { readonly group: string; readonly participants: readonly string[] },
  action: Action,
): Promise<{ readonly participants: readonly ParticipantChange[] }> {
  const answer = await ask(context, group, 'set', { tag: action, attrs: {}, content: participantNodes(participants) })
  context.groups.forget(group)
  const nodes = getBinaryNodeChildren(required(answer, action), 'participant')
  return {
    participants: nodes.map((node) => {
      const { error } = node.attrs
      const person = personOf(idsOf(node), context.state)
      if (error === undefined || error === '200') return { ...person, outcome: 'done' }
      return { ...person, outcome: error === alreadySo[action] ? 'already' : 'refused', whatsappCode: error }
    }),
  }
}

function required(node: BinaryNode, name: string): BinaryNode {
  const child = getBinaryNodeChild(node, name)
  if (child === undefined) throw new Error(`answer: expected <${name}>`)
  return child
}
