/** Which messages a fault on acks concerns: by id, by chat, or only those that open a chat. */

import { z } from 'zod'
import type { BinaryNode } from './binary-node.ts'
import type { DeviceAddress } from './jids.ts'
import type { Simulator } from './simulator.ts'

export const messageFilter = z.strictObject({
  /** An id, or the beginning of ids with a `*` after it. */
  id: z.string().min(1).optional(),
  /** The phone number or group that the message goes to. */
  to: z.string().min(1).optional(),
  /** Only messages to numbers that the account has no chat with: nothing was ever sent or received. */
  newChatsOnly: z.boolean().optional(),
})

export type MessageFilter = z.infer<typeof messageFilter>

export function concerns(
  { directory }: Simulator,
  sender: DeviceAddress,
  stanza: BinaryNode,
  filter: MessageFilter | undefined,
): boolean {
  if (!filter) return true
  const { id = '', to = '' } = stanza.attrs
  const recipient = directory.accountOf(to)?.phoneNumber
  if (filter.id !== undefined && !matches(filter.id, id)) return false
  if (filter.to !== undefined && filter.to !== to && filter.to.replaceAll(/\D/g, '') !== recipient) return false
  if (!filter.newChatsOnly) return true
  // A group is never a new chat, and neither is the own number.
  if (recipient === undefined || recipient === sender.phoneNumber) return false
  return directory.account(sender.phoneNumber)?.profile.hasChatWith(recipient) === false
}

function matches(pattern: string, id: string): boolean {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern
}
