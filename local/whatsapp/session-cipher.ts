/**
 * libsignal tries a message with one session after the other, turns a session's ratchet before it checks the MAC, and keeps
 * what came of it. Real phones try on a copy; so does this cipher.
 */

import { SessionCipher } from 'libsignal'

/** What libsignal hands over, though its type declarations say nothing of it. */
interface Session {
  readonly indexInfo: { used: number }
  serialize(): object
}

interface SessionType {
  deserialize(record: object): Session
}

interface Untyped {
  doDecryptWhisperMessage(body: Uint8Array, session: Session): Promise<Buffer>
}

export class PhoneSessionCipher extends SessionCipher {
  async decryptWithSessions(
    body: Uint8Array,
    sessions: readonly Session[],
  ): Promise<{ session: Session; plaintext: Buffer }> {
    const problems: unknown[] = []
    for (const session of sessions) {
      const record = session.serialize()
      try {
        const plaintext = await (this as unknown as Untyped).doDecryptWhisperMessage(body, session)
        session.indexInfo.used = Date.now()
        return { session, plaintext }
      } catch (problem) {
        problems.push(problem)
        Object.assign(session, (session.constructor as unknown as SessionType).deserialize(record))
      }
    }
    throw new AggregateError(problems, `none of ${sessions.length} sessions decrypts the message`)
  }
}
