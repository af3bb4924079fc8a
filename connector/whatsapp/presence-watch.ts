import { type BaileysEventEmitter, jidNormalizedUser, type PresenceData } from '@whiskeysockets/baileys'
import type { ContactPresence, Person, SeenPresence } from '../../shared/domain/operations.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import { idsOfPerson } from './person-ids.ts'

const presences: Readonly<Record<PresenceData['lastKnownPresence'], ContactPresence>> = {
  available: 'available',
  unavailable: 'unavailable',
  composing: 'typing',
  recording: 'recording',
  paused: 'available',
}

/** Contacts whose presence a socket was asked to follow; WhatsApp tells of others as well. Ends with the socket. */
export class PresenceWatch {
  readonly #state: Pick<ConnectionAuthState, 'read'>
  readonly #followed = new Map<string, Person>()

  constructor(state: Pick<ConnectionAuthState, 'read'>) {
    this.#state = state
  }

  follow(contact: string, person: Person): void {
    const ids = [...idsOfPerson(contact, this.#state), ...(person.lid === undefined ? [] : [person.lid])]
    for (const id of ids) this.#followed.set(id, person)
  }

  watch(events: Pick<BaileysEventEmitter, 'on'>, told: (seen: SeenPresence) => void): void {
    events.on('presence.update', ({ id, presences: of }) => {
      const contact = this.#followed.get(jidNormalizedUser(id))
      const data = of[id]
      if (contact === undefined || data === undefined) return
      const { lastKnownPresence, lastSeen } = data
      const lastSeenAt = lastSeen === undefined ? {} : { lastSeenAt: new Date(lastSeen * 1000).toISOString() }
      told({ contact, presence: presences[lastKnownPresence], ...lastSeenAt })
    })
  }
}
