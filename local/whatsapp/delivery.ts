/** What all messages have in common on their last step, whether they went to a number or to a group. */

import { type Attributes, type BinaryNode, child, children, contentBytes, node, unixSeconds } from './binary-node.ts'
import type { Account } from './directory.ts'
import type { DeviceAddress } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** `phash` is the hash over a group's devices, which goes into the ack. */
export type Routing = { kind: 'routed'; phash?: string } | { kind: 'refused'; error: number }

/** Hands a message to a phone, or to a companion's mailbox. */
export function deliver(
  { directory }: Simulator,
  sender: DeviceAddress,
  target: DeviceAddress,
  message: BinaryNode,
): void {
  if (target.device === 0) directory.account(target.phoneNumber)?.phone.receive(sender, message)
  else directory.companion(target)?.mailbox.deliver(message)
}

/** What every message says, whatever way it goes. */
export function commonAttributes(simulator: Simulator, author: Account, stanza: BinaryNode): Attributes {
  const { id = '', type = 'text', edit } = stanza.attrs
  return {
    id,
    type,
    t: unixSeconds(simulator.now()),
    notify: author.phone.settings.name || author.phoneNumber,
    ...(edit === undefined ? {} : { edit }),
  }
}

/** The ciphertexts, and the signed device identity where one of them opens a session; other children as they came. */
export function messageContent(stanza: BinaryNode, encrypted: readonly BinaryNode[]): BinaryNode[] {
  const identity = contentBytes(child(stanza, 'device-identity'))
  const content = encrypted.map((each) => node('enc', each.attrs, contentBytes(each)))
  if (identity && encrypted.some(({ attrs }) => attrs.type === 'pkmsg')) {
    content.push(node('device-identity', {}, identity))
  }
  return [...content, ...children(stanza).filter(({ tag }) => PASSED_ON.has(tag))]
}

const PASSED_ON: ReadonlySet<string> = new Set(['meta', 'reporting'])
