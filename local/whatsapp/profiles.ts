/** What an account shows and allows: about, picture, privacy, whom it blocks, and with whom it has a chat. */

import type { StateStore } from './store.ts'

export interface ProfileRecord {
  about: string
  /** Seconds since the epoch. */
  aboutAt: number
  /** Default for new chats; 0 is off. */
  disappearingSeconds: number
  disappearingAt: number
  /** Changes with every picture. */
  pictureId?: string
  /** The medium of the picture. */
  pictureMedium?: string
  privacy: Record<string, string>
  /** Phone numbers. */
  blocked: string[]
  /** Numbers that a message went to or came from. */
  chats: string[]
}

export const PRIVACY_DEFAULTS: Readonly<Record<string, string>> = {
  readreceipts: 'all',
  last: 'all',
  online: 'all',
  profile: 'all',
  status: 'all',
  groupadd: 'all',
  calladd: 'all',
  messages: 'all',
}

export class Profile {
  about: string
  aboutAt: number
  disappearingSeconds: number
  disappearingAt: number
  pictureId: string | undefined
  pictureMedium: string | undefined
  readonly privacy: Record<string, string>
  readonly blocked: Set<string>
  readonly #chats: Set<string>
  readonly #changed: () => void

  constructor(store: StateStore, phoneNumber: string, record?: Partial<ProfileRecord>) {
    this.about = record?.about ?? ''
    this.aboutAt = record?.aboutAt ?? 0
    this.disappearingSeconds = record?.disappearingSeconds ?? 0
    this.disappearingAt = record?.disappearingAt ?? 0
    this.pictureId = record?.pictureId
    this.pictureMedium = record?.pictureMedium
    this.privacy = { ...PRIVACY_DEFAULTS, ...record?.privacy }
    this.blocked = new Set(record?.blocked)
    this.#chats = new Set(record?.chats)
    this.#changed = () => store.changed('profiles', phoneNumber, () => this.record())
  }

  change(changes: Partial<Omit<ProfileRecord, 'blocked' | 'chats' | 'privacy'>>): void {
    Object.assign(this, changes)
    this.#changed()
  }

  setPrivacy(name: string, value: string): void {
    this.privacy[name] = value
    this.#changed()
  }

  setBlocked(phoneNumber: string, blocked: boolean): void {
    if (blocked) this.blocked.add(phoneNumber)
    else this.blocked.delete(phoneNumber)
    this.#changed()
  }

  hasChatWith(phoneNumber: string): boolean {
    return this.#chats.has(phoneNumber)
  }

  noteChatWith(phoneNumber: string): void {
    if (this.#chats.has(phoneNumber)) return
    this.#chats.add(phoneNumber)
    this.#changed()
  }

  record(): ProfileRecord {
    const { about, aboutAt, disappearingSeconds, disappearingAt, pictureId, pictureMedium, privacy } = this
    return {
      about,
      aboutAt,
      disappearingSeconds,
      disappearingAt,
      pictureId,
      pictureMedium,
      privacy,
      blocked: [...this.blocked],
      chats: [...this.#chats],
    }
  }
}
