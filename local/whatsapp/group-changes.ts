/**
 * What members may change in a group, and what follows: the change itself, the answer for each participant, and a notice to
 * everyone who is concerned. Clients' queries and the control API both come here.
 */

import { announceChange } from './group-notices.ts'
import type { GroupRole } from './groups.ts'
import { type Group, newInviteCode } from './groups.ts'
import type { Simulator } from './simulator.ts'

export type ParticipantsChange = { kind: 'add' | 'remove' | 'promote' | 'demote'; participants: string[] }

export type GroupChange =
  | ParticipantsChange
  | { kind: 'leave' }
  | { kind: 'subject'; subject: string }
  /** Without a text the description is taken away. */
  | { kind: 'description'; text?: string | undefined; id?: string | undefined }
  | { kind: 'announcement' | 'locked' | 'allMayAdd' | 'joinApproval'; on: boolean }
  | { kind: 'ephemeral'; seconds: number }
  | { kind: 'revokeInvite' }
  | { kind: 'approve' | 'reject'; participants: string[] }
  /** Without an id the picture is taken away. */
  | { kind: 'picture'; id?: string | undefined }

export interface Affected {
  phoneNumber: string
  /** Why nothing changed for this participant. */
  error?: number
}

export type ChangeOutcome = { kind: 'done'; affected: Affected[] } | { kind: 'refused'; code: number; text: string }
export type JoinOutcome =
  | { kind: 'joined' | 'requested'; group: Group }
  | { kind: 'refused'; code: number; text: string }

const FORBIDDEN = { kind: 'refused', code: 403, text: 'forbidden' } as const
const NOT_ADMIN = { kind: 'refused', code: 401, text: 'not-authorized' } as const
const NOT_ALLOWED = 403
const NOT_FOUND = 404
const NOT_ACCEPTABLE = 406
const CONFLICT = 409

export function createGroup(
  simulator: Simulator,
  creator: string,
  wanted: { subject: string; participants: readonly string[]; addressingMode?: 'lid' | 'pn' | undefined },
): Group {
  const { groups, directory } = simulator
  const known = wanted.participants.filter((number) => directory.account(number))
  const group = groups.create(creator, { ...wanted, participants: known })
  announceChange(simulator, group, creator, { kind: 'create' }, group.participants.keys())
  return group
}

/** Changes the group as `actor`, who must be allowed to. */
export function changeGroup(simulator: Simulator, group: Group, actor: string, change: GroupChange): ChangeOutcome {
  if (!group.isMember(actor)) return FORBIDDEN
  if (!mayChange(group, actor, change)) return NOT_ADMIN
  const before = new Set(group.participants.keys())
  const affected = applyChange(simulator, group, actor, change)
  const effective = affected.filter(({ error }) => error === undefined).map(({ phoneNumber }) => phoneNumber)
  simulator.groups.changed(group)
  if (!('participants' in change) || effective.length > 0) {
    const concerned = new Set([...before, ...group.participants.keys()])
    const told = 'participants' in change ? { ...change, participants: effective } : change
    announceChange(simulator, group, actor, told, concerned)
  }
  return { kind: 'done', affected }
}

export function joinByInvite(simulator: Simulator, phoneNumber: string, code: string | undefined): JoinOutcome {
  const group = simulator.groups.byInvite(code)
  if (!group) return { kind: 'refused', code: NOT_ACCEPTABLE, text: 'not-acceptable' }
  if (group.isMember(phoneNumber)) return { kind: 'refused', code: CONFLICT, text: 'conflict' }
  if (group.record.joinApproval) {
    const asked = group.record.joinRequests.some(([number]) => number === phoneNumber)
    if (!asked) group.record.joinRequests.push([phoneNumber, Math.floor(simulator.now() / 1000)])
    simulator.groups.changed(group)
    const admins = [...group.participants.keys()].filter((number) => group.isAdmin(number))
    announceChange(simulator, group, phoneNumber, { kind: 'joinRequest' }, admins)
    return { kind: 'requested', group }
  }
  group.participants.set(phoneNumber, 'member')
  simulator.groups.changed(group)
  const change = { kind: 'add' as const, participants: [phoneNumber], reason: 'invite' as const }
  announceChange(simulator, group, phoneNumber, change, group.participants.keys())
  return { kind: 'joined', group }
}

function mayChange(group: Group, actor: string, change: GroupChange): boolean {
  switch (change.kind) {
    case 'leave':
      return true
    case 'add':
      return group.record.allMayAdd || group.isAdmin(actor)
    case 'subject':
    case 'description':
    case 'picture':
    case 'ephemeral':
      return !group.record.locked || group.isAdmin(actor)
    default:
      return group.isAdmin(actor)
  }
}

function applyChange(simulator: Simulator, group: Group, actor: string, change: GroupChange): Affected[] {
  const { record } = group
  const at = Math.floor(simulator.now() / 1000)
  switch (change.kind) {
    case 'add':
    case 'remove':
    case 'promote':
    case 'demote':
      return change.participants.map((number) => changeParticipant(simulator, group, change.kind, number))
    case 'leave':
      group.participants.delete(actor)
      passOnLeadership(group)
      return []
    case 'approve':
    case 'reject':
      return change.participants.map((number) => decideRequest(group, change.kind, number))
    case 'subject':
      Object.assign(record, { subject: change.subject, subjectOwner: actor, subjectAt: at })
      return []
    case 'description':
      if (change.text === undefined) delete record.description
      else record.description = { id: change.id ?? `${at}-${actor}`, text: change.text, owner: actor, at }
      return []
    case 'announcement':
      record.announce = change.on
      return []
    case 'locked':
    case 'allMayAdd':
    case 'joinApproval':
      record[change.kind] = change.on
      return []
    case 'ephemeral':
      record.ephemeralSeconds = change.seconds
      return []
    case 'revokeInvite':
      record.inviteCode = newInviteCode()
      return []
    case 'picture':
      if (change.id === undefined) delete record.pictureId
      else record.pictureId = change.id
      return []
  }
}

const ROLE_AFTER: Record<'add' | 'promote' | 'demote', GroupRole> = {
  add: 'member',
  promote: 'admin',
  demote: 'member',
}

function changeParticipant(
  { directory }: Simulator,
  group: Group,
  kind: ParticipantsChange['kind'],
  phoneNumber: string,
): Affected {
  const role = group.participants.get(phoneNumber)
  if (kind === 'add') {
    const account = directory.account(phoneNumber)
    if (!account) return { phoneNumber, error: NOT_FOUND }
    if (account.profile.privacy.groupadd === 'none') return { phoneNumber, error: NOT_ALLOWED }
    if (role !== undefined) return { phoneNumber, error: CONFLICT }
  } else {
    if (role === undefined) return { phoneNumber, error: NOT_FOUND }
    if (role === 'superadmin') return { phoneNumber, error: NOT_ACCEPTABLE }
  }
  if (kind === 'remove') group.participants.delete(phoneNumber)
  else group.participants.set(phoneNumber, ROLE_AFTER[kind])
  return { phoneNumber }
}

function decideRequest(group: Group, kind: 'approve' | 'reject', phoneNumber: string): Affected {
  const { record } = group
  const left = record.joinRequests.filter(([number]) => number !== phoneNumber)
  if (left.length === record.joinRequests.length) return { phoneNumber, error: NOT_FOUND }
  record.joinRequests = left
  if (kind === 'approve') group.participants.set(phoneNumber, 'member')
  return { phoneNumber }
}

/** A group whose last admin left is led by its oldest member. */
function passOnLeadership(group: Group): void {
  if ([...group.participants.keys()].some((number) => group.isAdmin(number))) return
  const oldest = group.participants.keys().next().value
  if (oldest !== undefined) group.participants.set(oldest, 'superadmin')
}
