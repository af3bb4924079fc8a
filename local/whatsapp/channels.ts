/** Channels, as far as a follower's devices see them: what is published comes in the clear, from the channel itself. */

import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { z } from 'zod'
import { node, unixSeconds } from './binary-node.ts'
import type { Account } from './directory.ts'
import type { Simulator } from './simulator.ts'

export const channelMessage = z.strictObject({
  channel: z.string().regex(/^\d+@newsletter$/, 'expected the JID of a channel: <digits>@newsletter'),
  text: z.string(),
})

const ID_BYTES = 10

/** To every companion of a phone that follows the channel. Returns the message's id. */
export function publish(
  simulator: Simulator,
  follower: Account,
  { channel, text }: z.output<typeof channelMessage>,
): string {
  const { directory, now } = simulator
  const id = randomBytes(ID_BYTES).toString('hex').toUpperCase()
  const attrs = { from: channel, id, server_id: '100', type: 'text', t: unixSeconds(now()) }
  const content = Buffer.from(proto.Message.encode({ conversation: text }).finish())
  for (const device of directory.devices(follower)) {
    directory.companion(device)?.mailbox.deliver(node('message', attrs, [node('plaintext', {}, content)]))
  }
  return id
}
