/** How a device stops being one of its account: its socket ends, and its next login is a 401. */

import { type Attributes, node } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Account } from './directory.ts'
import { announceDevice, announceIdentity } from './notices.ts'
import type { Simulator } from './simulator.ts'

/** `withCode: false` leaves out the 401, as WhatsApp sometimes does; Baileys then reports 440. */
export function unlink(
  simulator: Simulator,
  companion: CompanionDevice,
  by: 'phone' | 'companion',
  withCode = true,
): void {
  const { directory, events } = simulator
  directory.unlink(companion)
  events.publish({ event: 'unlinked', device: companion.key, by })
  const attrs: Attributes = withCode ? { code: '401' } : {}
  companion.connection?.streamError('unlinked', attrs, node('conflict', { type: 'device_removed' }))
  const account = directory.account(companion.address.phoneNumber)
  if (account) announceDevice(simulator, account, companion, 'remove')
}

/** The phone is set up anew under its number: a new identity, no linked devices, and everyone it wrote with is told. */
export function reinstall(simulator: Simulator, account: Account): void {
  for (const companion of [...account.companions.values()]) unlink(simulator, companion, 'phone')
  announceIdentity(simulator, account, account.phone.reinstall())
}
