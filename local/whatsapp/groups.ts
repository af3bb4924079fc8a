/** The groups there are: who is in them with which role, and their settings. Members are phone numbers. */

import { randomBytes } from 'node:crypto'
import { type DeviceAddress, formatJid, lidOf } from './jids.ts'
import type { Simulator } from './simulator.ts'

export type GroupRole = 'member' | 'admin' | 'superadmin'
export type AddressingMode = 'lid' | 'pn'

/** Times are seconds since the epoch, as the protocol has them. */
export interface GroupRecord {
  /** With its server: `120363…@g.us`. */
  id: string
  subject: string
  subjectOwner: string
  subjectAt: number
  creator: string
  createdAt: number
  description?: { id: string; text: string; owner: string; at: number }
  participants: [phoneNumber: string, role: GroupRole][]
  /** Only admins may write. */
  announce: boolean
  /** Only admins may change subject, description and picture. */
  locked: boolean
  /** Seconds after which messages disappear; 0 is never. */
  ephemeralSeconds: number
  addressingMode: AddressingMode
  /** Whether members who are no admins may add others. */
  allMayAdd: boolean
  /** Whether an admin has to approve who joins by invite. */
  joinApproval: boolean
  joinRequests: [phoneNumber: string, at: number][]
  inviteCode: string
  pictureId?: string
  /** The medium of the picture. */
  pictureMedium?: string
}

export interface NewGroup {
  subject: string
  participants: readonly string[]
  addressingMode?: AddressingMode | undefined
}

const INVITE_BYTES = 16

export function newInviteCode(): string {
  return randomBytes(INVITE_BYTES).toString('base64url')
}

export class Group {
  readonly record: GroupRecord
  readonly participants: Map<string, GroupRole>

  constructor(record: GroupRecord) {
    this.record = record
    this.participants = new Map(record.participants)
  }

  get id(): string {
    return this.record.id
  }

  isMember(phoneNumber: string): boolean {
    return this.participants.has(phoneNumber)
  }

  isAdmin(phoneNumber: string): boolean {
    const role = this.participants.get(phoneNumber)
    return role === 'admin' || role === 'superadmin'
  }

  /** The address that this group's members know a number by. */
  jidOf(phoneNumber: string, device = 0): string {
    return this.record.addressingMode === 'lid'
      ? formatJid(lidOf(phoneNumber), 'lid', device)
      : formatJid(phoneNumber, 's.whatsapp.net', device)
  }

  snapshot(): GroupRecord {
    return { ...this.record, participants: [...this.participants] }
  }
}

export class Groups {
  readonly #simulator: Simulator
  readonly #groups = new Map<string, Group>()

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  async restore(): Promise<void> {
    for (const [id, record] of await this.#simulator.store.load('groups')) {
      this.#groups.set(id, new Group(record as GroupRecord))
    }
  }

  get(id: string | undefined): Group | undefined {
    return id === undefined ? undefined : this.#groups.get(id)
  }

  all(): Iterable<Group> {
    return this.#groups.values()
  }

  of(phoneNumber: string): Group[] {
    return [...this.#groups.values()].filter((group) => group.isMember(phoneNumber))
  }

  byInvite(code: string | undefined): Group | undefined {
    return [...this.#groups.values()].find(({ record }) => record.inviteCode === code)
  }

  create(creator: string, { subject, participants, addressingMode = 'lid' }: NewGroup): Group {
    const nowMs = this.#simulator.now()
    const at = Math.floor(nowMs / 1000)
    const members = participants.filter((each) => each !== creator)
    const group = new Group({
      id: `120363${randomBytes(6).readUIntBE(0, 6).toString().padStart(15, '0').slice(-12)}@g.us`,
      subject,
      subjectOwner: creator,
      subjectAt: at,
      creator,
      createdAt: at,
      participants: [[creator, 'superadmin'], ...members.map((each) => [each, 'member'] as [string, GroupRole])],
      announce: false,
      locked: false,
      ephemeralSeconds: 0,
      addressingMode,
      allMayAdd: true,
      joinApproval: false,
      joinRequests: [],
      inviteCode: newInviteCode(),
    })
    this.#groups.set(group.id, group)
    this.changed(group)
    return group
  }

  changed(group: Group): void {
    this.#simulator.store.changed('groups', group.id, () => group.snapshot())
  }

  /** Every device of every member. */
  devices(group: Group): DeviceAddress[] {
    const { directory } = this.#simulator
    return [...group.participants.keys()].flatMap((number) => {
      const account = directory.account(number)
      return account ? directory.devices(account) : []
    })
  }
}
