/** Profile pictures of accounts and groups: set by a client or by a phone, told to those concerned, downloaded by URL. */

import { createHash } from 'node:crypto'
import { type BinaryNode, node, unixSeconds } from './binary-node.ts'
import type { Account } from './directory.ts'
import { type ChangeOutcome, changeGroup } from './group-changes.ts'
import type { Group } from './groups.ts'
import { formatJid } from './jids.ts'
import { mediaAddress } from './media-http.ts'
import type { Simulator } from './simulator.ts'

/** WhatsApp's picture ids are numbers; this one follows from the bytes. */
function pictureIdOf(bytes: Buffer): string {
  return (createHash('sha256').update(bytes).digest().readUInt32BE(0) + 1).toString()
}

/** `undefined` takes the picture away. Resolves with the new id. */
export async function setAccountPicture(
  simulator: Simulator,
  account: Account,
  bytes: Buffer | undefined,
): Promise<string | undefined> {
  const stored = bytes && (await simulator.media.write([bytes]))
  const pictureId = bytes && pictureIdOf(bytes)
  account.profile.change({ pictureId, pictureMedium: stored?.id })
  announcePicture(simulator, account, pictureId)
  return pictureId
}

export async function setGroupPicture(
  simulator: Simulator,
  group: Group,
  actor: string,
  bytes: Buffer | undefined,
): Promise<ChangeOutcome & { pictureId?: string | undefined }> {
  const id = bytes && pictureIdOf(bytes)
  const outcome = changeGroup(simulator, group, actor, { kind: 'picture', id })
  if (outcome.kind === 'refused') return outcome
  const stored = bytes && (await simulator.media.write([bytes]))
  if (stored) group.record.pictureMedium = stored.id
  else delete group.record.pictureMedium
  simulator.groups.changed(group)
  return { ...outcome, pictureId: id }
}

/** `<picture>` with its address, or undefined if there is none. */
export function pictureNode(
  simulator: Simulator,
  of: { pictureId?: string | undefined; pictureMedium?: string | undefined },
  type: string,
): BinaryNode | undefined {
  if (of.pictureId === undefined || of.pictureMedium === undefined) return undefined
  const { url, directPath } = mediaAddress(simulator, 'picture', of.pictureMedium)
  return node('picture', { id: of.pictureId, type, url, direct_path: directPath })
}

function announcePicture(simulator: Simulator, account: Account, id: string | undefined): void {
  const { directory, now } = simulator
  const from = formatJid(account.phoneNumber, 's.whatsapp.net')
  const attrs = { id: `picture-${account.phoneNumber}-${id ?? now()}`, type: 'picture', from, t: unixSeconds(now()) }
  const notice = node('notification', attrs, [
    id === undefined ? node('delete', { jid: from }) : node('set', { jid: from, id }),
  ])
  const peers = new Set([account.phoneNumber, ...account.phone.signal.peers()])
  for (const peer of peers) {
    for (const companion of directory.account(peer)?.companions.values() ?? []) companion.mailbox.deliver(notice)
  }
}
