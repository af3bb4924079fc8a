import type { AuthenticationCreds, SignalDataTypeMap, SignalKeyStore } from '@whiskeysockets/baileys'
import type { ConnectionAuthState, Creds, SignalChange } from '../auth/auth-state.ts'

/** The auth state as Baileys reads and writes it. Memory only: the egress gate waits for the journal, not the writer. */
export function signalKeyStore(state: ConnectionAuthState): SignalKeyStore {
  return {
    get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]): Record<string, SignalDataTypeMap[T]> {
      const found: Record<string, SignalDataTypeMap[T]> = {}
      for (const id of ids) {
        const value = state.read(type, id)
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T]
      }
      return found
    },
    set(data): void {
      const changes: SignalChange[] = []
      for (const [type, records] of Object.entries(data)) {
        for (const [id, value] of Object.entries(records ?? {})) changes.push({ type, id, value })
      }
      state.apply(changes)
    },
  }
}

export function baileysCreds(creds: Creds): AuthenticationCreds {
  return creds as AuthenticationCreds
}
