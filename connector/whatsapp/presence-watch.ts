import { type BaileysEventEmitter, jidNormalizedUser, type PresenceData } from '@whiskeysockets/baileys'
import type { Person } from '../../shared/domain/operations.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import { idsOfPerson } from './person-ids.ts'

/** Contacts whose presence a socket was asked to follow; WhatsApp tells of others as well. Ends with the socket. */
export class PresenceWatch {
  readonly #state: Pick<ConnectionAuthState, 'read'>
  readonly #followed = new Map<string, Person>()

  constructor(state: Pick<ConnectionAuthState, 'read'>) {
    this.#state = state
  }

  follow(contact: string, person: Person): void {
    for (const id of [...idsOfPerson(contact, this.#state), ...(person.lid === undefined ? [] : [person.lid])])
      this.#followed.set(id, person)
  }

  watch(events: Pick<BaileysEventEmitter, 'on'>, told: (person: Person, presence: PresenceData) => void): void {
    events.on('presence.update', ({ id, presences }) => {
      const person = this.#followed.get(jidNormalizedUser(id))
      const presence = presences[id]
      if (person !== undefined && presence !== undefined) told(person, presence)
    })
  }
}
