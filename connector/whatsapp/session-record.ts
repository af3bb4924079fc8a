/** The parts of libsignal's serialized session record that decisions rest on; keys in it are base64. */
interface SerializedSession {
  readonly registrationId?: number
  readonly indexInfo?: { readonly closed?: number; readonly remoteIdentityKey?: string; readonly baseKey?: string }
}

export interface OpenSession {
  readonly registrationId: number
  readonly remoteIdentityKey: Buffer
  readonly baseKey: Buffer
}

/**
 * Whether a record's text, as the auth state keeps it, has a session that is open. Only that it is closed, and since when, is said
 * under that name; each message of a known contact asks several times, and the whole record is some kilobytes.
 */
export function hasOpenSession(text: string | undefined): boolean {
  return text?.includes('"closed":-1') ?? false
}

/** The session that sends go out with; undefined where there is none, or the record is not a session record. */
export function openSessionOf(record: unknown): OpenSession | undefined {
  if (typeof record !== 'object' || record === null || !('_sessions' in record)) return undefined
  const sessions = record._sessions
  if (typeof sessions !== 'object' || sessions === null) return undefined
  for (const session of Object.values(sessions) as SerializedSession[]) {
    const { registrationId, indexInfo } = session
    if (indexInfo?.closed !== -1 || indexInfo.remoteIdentityKey === undefined || indexInfo.baseKey === undefined)
      continue
    return {
      registrationId: registrationId ?? 0,
      remoteIdentityKey: Buffer.from(indexInfo.remoteIdentityKey, 'base64'),
      baseKey: Buffer.from(indexInfo.baseKey, 'base64'),
    }
  }
  return undefined
}
