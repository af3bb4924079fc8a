/**
 * Who is online and who is typing to whom: told to subscribers and to the devices of who is written to, and noted so that
 * it can be looked up. Presence is never kept for a device that is away.
 */

import { type Attributes, type BinaryNode, node, unixSeconds } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Account } from './directory.ts'
import type { Group } from './groups.ts'
import { type DeviceAddress, deviceKey, formatJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

export type Availability = 'available' | 'unavailable'
export type ChatState = 'composing' | 'recording' | 'paused'

export interface SeenChatState {
  /** The device that types, `15550001:1`. */
  from: string
  state: ChatState
  /** The group, for who types in one. */
  group?: string
  at: string
}

interface AccountPresence {
  state: Availability
  /** Seconds since the epoch. */
  lastSeen: number | undefined
  byDevice: Map<string, Availability>
}

/** The newest are kept. */
const SEEN_MAX = 500

export class PresenceBoard {
  readonly #simulator: Simulator
  readonly #accounts = new Map<string, AccountPresence>()
  /** Devices that want to know, by the number they want to know of. */
  readonly #subscribers = new Map<string, Set<CompanionDevice>>()
  /** What was typed to a number, oldest first. */
  readonly #seen = new Map<string, SeenChatState[]>()

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  /** A device says whether its user is there; the account is available while one of its devices is. */
  setAvailability(device: DeviceAddress, state: Availability): void {
    const presence = this.#presence(device.phoneNumber)
    const before = presence.state
    presence.byDevice.set(deviceKey(device), state)
    presence.state = [...presence.byDevice.values()].includes('available') ? 'available' : 'unavailable'
    if (presence.state === before) return
    if (presence.state === 'unavailable') presence.lastSeen = Math.floor(this.#simulator.now() / 1000)
    for (const subscriber of this.#subscribers.get(device.phoneNumber) ?? []) this.#tell(subscriber, device.phoneNumber)
  }

  /** A device whose socket ended is not there any more, and is told nothing until it subscribes again. */
  gone(companion: CompanionDevice): void {
    for (const devices of this.#subscribers.values()) devices.delete(companion)
    const presence = this.#accounts.get(companion.address.phoneNumber)
    if (presence?.byDevice.has(companion.key)) this.setAvailability(companion.address, 'unavailable')
  }

  subscribe(companion: CompanionDevice, phoneNumber: string): void {
    const devices = this.#subscribers.get(phoneNumber) ?? new Set()
    devices.add(companion)
    this.#subscribers.set(phoneNumber, devices)
    this.#tell(companion, phoneNumber)
  }

  type(from: DeviceAddress, to: Account | Group, state: ChatState): void {
    const { directory, now } = this.#simulator
    const own = directory.account(from.phoneNumber)
    if (!own) return
    const group = 'participants' in to ? to : undefined
    const members = group ? [...group.participants.keys()] : [(to as Account).phoneNumber]
    const media: Attributes = state === 'recording' ? { media: 'audio' } : {}
    const content = [node(state === 'recording' ? 'composing' : state, media)]
    const attrs: Attributes = group
      ? { from: group.id, participant: group.jidOf(from.phoneNumber) }
      : { from: formatJid(own.lid, 'lid') }
    const at = new Date(now()).toISOString()
    for (const number of members) {
      const account = directory.account(number)
      if (!account || account === own || account.profile.blocked.has(from.phoneNumber)) continue
      this.#note(number, { from: deviceKey(from), state, ...(group ? { group: group.id } : {}), at })
      for (const companion of account.companions.values()) {
        companion.connection?.send(node('chatstate', attrs, content))
      }
    }
    this.#simulator.events.publish({
      event: 'chat-state',
      from: deviceKey(from),
      to: group?.id ?? (to as Account).phoneNumber,
      state,
    })
  }

  report(phoneNumber: string) {
    const { state, lastSeen, byDevice } = this.#presence(phoneNumber)
    return {
      state,
      lastSeen: lastSeen === undefined ? undefined : new Date(lastSeen * 1000).toISOString(),
      devices: Object.fromEntries(byDevice),
      chatStates: this.#seen.get(phoneNumber) ?? [],
    }
  }

  #presence(phoneNumber: string): AccountPresence {
    let presence = this.#accounts.get(phoneNumber)
    if (!presence) {
      presence = { state: 'unavailable', lastSeen: undefined, byDevice: new Map() }
      this.#accounts.set(phoneNumber, presence)
    }
    return presence
  }

  #tell(subscriber: CompanionDevice, phoneNumber: string): void {
    subscriber.connection?.send(this.#node(phoneNumber))
  }

  #node(phoneNumber: string): BinaryNode {
    const account = this.#simulator.directory.account(phoneNumber)
    const { state, lastSeen } = this.#presence(phoneNumber)
    const attrs: Attributes = { from: account ? formatJid(account.lid, 'lid') : '' }
    if (state === 'unavailable') {
      attrs.type = 'unavailable'
      const hidden = account?.profile.privacy.last === 'none'
      attrs.last = hidden ? 'deny' : (lastSeen?.toString() ?? unixSeconds(this.#simulator.now()))
    }
    return node('presence', attrs)
  }

  #note(phoneNumber: string, seen: SeenChatState): void {
    const list = this.#seen.get(phoneNumber) ?? []
    list.push(seen)
    if (list.length > SEEN_MAX) list.shift()
    this.#seen.set(phoneNumber, list)
  }
}
