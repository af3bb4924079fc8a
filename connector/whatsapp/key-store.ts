import type { AuthenticationCreds, SignalDataTypeMap, SignalKeyStore } from '@whiskeysockets/baileys'
import type { ConnectionAuthState, Creds, SignalChange } from '../auth/auth-state.ts'
import type { Clock } from '../ports.ts'
import { asGiven, isDue, type PrivacyToken } from './privacy-tokens.ts'
import { sendScope } from './send-scope.ts'

/**
 * The auth state as Baileys reads and writes it. Memory only: the egress gate waits for the journal, not the writer. Within a send
 * every contact has been given its privacy token: `PrivacyTokens` gives those that are due.
 */
export function signalKeyStore(state: ConnectionAuthState, clock: Pick<Clock, 'now'>): SignalKeyStore {
  const read = (type: string, id: string): unknown => {
    const value = state.read(type, id)
    const send = sendScope.getStore()
    if (type !== 'tctoken' || send === undefined) return value
    const kept = value as PrivacyToken | undefined
    const now = clock.now()
    if (!isDue(kept, now)) return kept
    send.tokenDue = id
    return asGiven(kept, now)
  }
  return {
    get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): Record<string, SignalDataTypeMap[T]> {
      const found: Record<string, SignalDataTypeMap[T]> = {}
      for (const id of ids) {
        const value = read(type, id)
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T]
      }
      return found
    },
    set(data): void {
      const changes: SignalChange[] = []
      for (const [type, records] of Object.entries(data)) {
        for (const [id, value] of Object.entries(records ?? {}))
          changes.push({ type, id, value: written(state, type, id, value) })
      }
      state.apply(changes)
    },
  }
}

/** What a send writes of a token, such as that the contact's has expired, leaves when ours was given as it was. */
function written(state: ConnectionAuthState, type: string, id: string, value: unknown): unknown {
  if (type !== 'tctoken' || sendScope.getStore() === undefined || value === null || value === undefined) return value
  const { senderTimestamp: _, ...rest } = value as PrivacyToken
  const { senderTimestamp } = (state.read(type, id) ?? {}) as Partial<PrivacyToken>
  return { ...rest, ...(senderTimestamp !== undefined && { senderTimestamp }) }
}

export function baileysCreds(creds: Creds): AuthenticationCreds {
  return creds as AuthenticationCreds
}
