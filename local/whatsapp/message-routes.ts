/** Control of what phones send and show. */

import { z } from 'zod'
import { channelMessage, publish } from './channels.ts'
import { type Answer, Problem, type Request, type Route, route } from './control-http.ts'
import { messageId, parse } from './control-requests.ts'
import type { Account } from './directory.ts'
import type { Destination } from './outbox.ts'
import { outgoingMessage } from './outgoing-messages.ts'
import { accountNamed, onPhone } from './phone-routes.ts'
import type { Simulator } from './simulator.ts'

const INBOX_WAIT_SECONDS_MAX = 60

/** A body without a kind is a text. */
const newMessage = z.looseObject({ to: z.string(), kind: z.string().default('text') })

export function messageRoutes(simulator: Simulator): Route[] {
  const phone = (
    method: string,
    path: string,
    handle: (account: Account, request: Request) => Answer | Promise<Answer>,
  ): Route => route(method, `/phones/:number${path}`, onPhone(simulator, handle))
  const receipt = (path: string, type: 'delivered' | 'read' | 'played'): Route =>
    phone('POST', path, (account, { body }) => {
      const { id } = parse(messageId, body)
      if (!account.phone.giveReceipt(id, type)) throw unknownMessage(id)
      return { status: 204 }
    })
  return [
    phone('POST', '/messages', async (account, { body }) => {
      const { to, ...rest } = parse(newMessage, body)
      const request = parse(outgoingMessage, rest)
      const id = await account.phone.send(request, destinationOf(simulator, account, to))
      return { status: 201, body: { id } }
    }),
    phone('POST', '/channel-messages', (account, { body }) => {
      return { status: 201, body: { id: publish(simulator, account, parse(channelMessage, body)) } }
    }),
    phone('GET', '/sent', (account) => ({ status: 200, body: { messages: account.phone.sentMessages() } })),
    phone('GET', '/inbox', readInbox),
    phone('DELETE', '/inbox', (account) => {
      account.phone.inbox.clear()
      return { status: 204 }
    }),
    receipt('/deliver', 'delivered'),
    receipt('/read', 'read'),
    receipt('/play', 'played'),
  ]
}

export function unknownMessage(id: string): Problem {
  return new Problem(404, 'message_unknown', `the inbox has no message ${id}`)
}

function destinationOf(simulator: Simulator, sender: Account, to: string): Destination {
  if (!to.endsWith('@g.us')) return { kind: 'number', account: accountNamed(simulator, to) }
  const group = simulator.groups.get(to)
  if (!group) throw new Problem(404, 'group_unknown', `there is no group ${to}`)
  if (!group.isMember(sender.phoneNumber)) throw new Problem(403, 'not_a_member', `the phone is not in ${to}`)
  if (group.record.announce && !group.isAdmin(sender.phoneNumber)) {
    throw new Problem(403, 'admins_only', `only admins may write in ${to}`)
  }
  return { kind: 'group', group }
}

async function readInbox(account: Account, { query, signal }: Request): Promise<Answer> {
  const { inbox } = account.phone
  const seconds = Math.min(Number(query.get('wait') ?? 0), INBOX_WAIT_SECONDS_MAX)
  const count = Number(query.get('count') ?? 1)
  if (!(seconds >= 0) || !(count >= 0)) throw new Problem(400, 'invalid_request', 'wait and count: expected numbers')
  if (seconds > 0) await inbox.waitFor(count, AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]))
  return { status: 200, body: inbox.record() }
}
