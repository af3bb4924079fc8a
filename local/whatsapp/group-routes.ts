/** Control of groups: what their members do in them by phone. */

import { z } from 'zod'
import { Problem, type Route, route } from './control-http.ts'
import { parse, phoneNumber } from './control-requests.ts'
import { changeGroup, createGroup, type GroupChange, joinByInvite } from './group-changes.ts'
import type { Group } from './groups.ts'
import { accountNamed } from './phone-routes.ts'
import { setGroupPicture } from './pictures.ts'
import type { Simulator } from './simulator.ts'

const newGroup = z.strictObject({
  by: phoneNumber,
  subject: z.string().min(1),
  participants: z.array(phoneNumber),
  addressingMode: z.enum(['lid', 'pn']).optional(),
})

const participants = z.array(phoneNumber).min(1)
const on = z.boolean()

const change: z.ZodType<GroupChange> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['add', 'remove', 'promote', 'demote']), participants }),
  z.strictObject({ kind: z.enum(['approve', 'reject']), participants }),
  z.strictObject({ kind: z.literal('leave') }),
  z.strictObject({ kind: z.literal('subject'), subject: z.string().min(1) }),
  z.strictObject({ kind: z.literal('description'), text: z.string().optional() }),
  z.strictObject({ kind: z.enum(['announcement', 'locked', 'allMayAdd', 'joinApproval']), on }),
  z.strictObject({ kind: z.literal('ephemeral'), seconds: z.int().min(0) }),
  z.strictObject({ kind: z.literal('revokeInvite') }),
])

const changeRequest = z.strictObject({ by: phoneNumber, change })
const join = z.strictObject({ by: phoneNumber, code: z.string() })
/** In base64; null takes the picture away. */
const picture = z.strictObject({ by: phoneNumber, picture: z.base64().nullable() })

export function groupRoutes(simulator: Simulator): Route[] {
  const { groups } = simulator
  const named = (id: string | undefined): Group => {
    const group = groups.get(id?.includes('@') ? id : `${id}@g.us`)
    if (!group) throw new Problem(404, 'group_unknown', `there is no group ${id}`)
    return group
  }
  return [
    route('POST', '/groups', ({ body }) => {
      const { by, ...wanted } = parse(newGroup, body)
      for (const number of [by, ...wanted.participants]) accountNamed(simulator, number)
      return { status: 201, body: shownGroup(createGroup(simulator, by, wanted)) }
    }),
    route('GET', '/groups', () => ({ status: 200, body: { groups: [...groups.all()].map(shownGroup) } })),
    route('POST', '/groups/join', ({ body }) => {
      const { by, code } = parse(join, body)
      const outcome = joinByInvite(simulator, accountNamed(simulator, by).phoneNumber, code)
      if (outcome.kind === 'refused') throw new Problem(outcome.code, 'refused', outcome.text)
      return { status: outcome.kind === 'joined' ? 200 : 202, body: shownGroup(outcome.group) }
    }),
    route('GET', '/groups/:id', ({ path }) => ({ status: 200, body: shownGroup(named(path[0])) })),
    route('POST', '/groups/:id/changes', ({ path, body }) => {
      const group = named(path[0])
      const request = parse(changeRequest, body)
      const outcome = changeGroup(simulator, group, request.by, request.change)
      if (outcome.kind === 'refused') throw new Problem(outcome.code, 'refused', outcome.text)
      return { status: 200, body: { ...shownGroup(group), affected: outcome.affected } }
    }),
    route('POST', '/groups/:id/picture', async ({ path, body }) => {
      const group = named(path[0])
      const request = parse(picture, body)
      const bytes = request.picture === null ? undefined : Buffer.from(request.picture, 'base64')
      const outcome = await setGroupPicture(simulator, group, request.by, bytes)
      if (outcome.kind === 'refused') throw new Problem(outcome.code, 'refused', outcome.text)
      return { status: 200, body: shownGroup(group) }
    }),
  ]
}

function shownGroup(group: Group) {
  const { pictureMedium: _, participants: members, joinRequests, ...shown } = group.snapshot()
  return {
    ...shown,
    participants: members.map(([number, role]) => ({ phoneNumber: number, role })),
    joinRequests: joinRequests.map(([number]) => number),
  }
}
