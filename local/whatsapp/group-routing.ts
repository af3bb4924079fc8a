/**
 * Messages in groups: one ciphertext under the author's sender key goes to every device of every member, with the key
 * itself for the devices that it is sent along for. A retry goes to the one device that asked.
 */

import { generateParticipantHashV2 } from '@whiskeysockets/baileys'
import { type Attributes, type BinaryNode, child, children, node } from './binary-node.ts'
import { commonAttributes, deliver, messageContent, type Routing } from './delivery.ts'
import type { Group } from './groups.ts'
import { type DeviceAddress, deviceKey, formatJid, lidOf } from './jids.ts'
import type { Simulator } from './simulator.ts'

const NOT_FOUND = 404
const NOT_A_MEMBER = 403
const ADMINS_ONLY = 420

export function routeToGroup(simulator: Simulator, sender: DeviceAddress, stanza: BinaryNode): Routing {
  const { groups, directory } = simulator
  const group = groups.get(stanza.attrs.to)
  const author = directory.account(sender.phoneNumber)
  if (!group || !author) return { kind: 'refused', error: NOT_FOUND }
  if (!group.isMember(author.phoneNumber)) return { kind: 'refused', error: NOT_A_MEMBER }
  if (group.record.announce && !group.isAdmin(author.phoneNumber)) return { kind: 'refused', error: ADMINS_ONLY }
  const devices = groups.devices(group)
  const shared = children(stanza, 'enc')
  const keys = new Map(
    children(child(stanza, 'participants'), 'to').map((to) => {
      const address = directory.addressOf(to.attrs.jid)
      return [address ? deviceKey(address) : '', children(to, 'enc')] as const
    }),
  )
  const only = directory.addressOf(stanza.attrs.participant)
  const attrs = { ...commonAttributes(simulator, author, stanza), ...memberAttributes(group, sender) }
  if (group.record.ephemeralSeconds > 0) attrs.expiration = group.record.ephemeralSeconds.toString()
  for (const target of devices) {
    if (deviceKey(target) === deviceKey(sender) || (only && deviceKey(only) !== deviceKey(target))) continue
    const encrypted = [...(keys.get(deviceKey(target)) ?? []), ...shared]
    if (encrypted.length > 0)
      deliver(simulator, sender, target, node('message', attrs, messageContent(stanza, encrypted)))
  }
  return { kind: 'routed', phash: participantHash(group, devices) }
}

/** Who wrote in the group, under the address that the group goes by and under the other one. */
function memberAttributes(group: Group, { phoneNumber, device }: DeviceAddress): Attributes {
  const { addressingMode } = group.record
  const attrs: Attributes = {
    from: group.id,
    participant: group.jidOf(phoneNumber, device),
    addressing_mode: addressingMode,
  }
  if (addressingMode === 'lid') attrs.participant_pn = formatJid(phoneNumber, 's.whatsapp.net')
  else attrs.participant_lid = formatJid(lidOf(phoneNumber), 'lid')
  return attrs
}

/** From the group, with the member that it comes from. */
export function receiptInGroup(group: Group, { phoneNumber, device }: DeviceAddress): Attributes {
  return { from: group.id, participant: group.jidOf(phoneNumber, device) }
}

/** A hash over all devices in the group, by which a client can tell that it knew them all. */
function participantHash(group: Group, devices: readonly DeviceAddress[]): string {
  return generateParticipantHashV2(devices.map(({ phoneNumber, device }) => group.jidOf(phoneNumber, device)))
}
