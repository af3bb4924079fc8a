import { SessionCipher } from 'libsignal'

/** A session of a record as libsignal has it in memory: its fields are what it serializes. */
interface SessionEntry {
  readonly indexInfo: { used: number }
  serialize(): object
}

interface SessionEntryType {
  deserialize(serialized: object): SessionEntry
}

/** Parts of libsignal's cipher that its types leave out. */
interface CipherInternals {
  doDecryptWhisperMessage(ciphertext: Uint8Array, session: SessionEntry): Promise<Buffer>
}

/**
 * A cipher that leaves whole what it only tries. A message names no session, so one that two of them could be for is tried
 * with each. libsignal turns a session's ratchet before it checks the message's MAC, and stores all of the record once one of
 * them fits: a session that did not is spoiled for good. That meets the one that we send in, as soon as first messages crossed.
 */
export class TryingSessionCipher extends SessionCipher {
  /** Called by libsignal within its job, the session used last first. */
  async decryptWithSessions(
    ciphertext: Uint8Array,
    sessions: readonly SessionEntry[],
  ): Promise<{ session: SessionEntry; plaintext: Buffer }> {
    const internals = this as unknown as CipherInternals
    const reasons: unknown[] = []
    for (const session of sessions) {
      const before = session.serialize()
      try {
        const plaintext = await internals.doDecryptWhisperMessage(ciphertext, session)
        session.indexInfo.used = Date.now()
        return { session, plaintext }
      } catch (error) {
        reasons.push(error)
        Object.assign(session, (session.constructor as unknown as SessionEntryType).deserialize(before))
      }
    }
    // libsignal's words; Baileys looks at some.
    throw new AggregateError(
      reasons,
      reasons.length === 0 ? 'No sessions available' : 'No matching sessions found for message',
    )
  }
}
