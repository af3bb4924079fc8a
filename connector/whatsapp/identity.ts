import { initAuthCreds } from '@whiskeysockets/baileys'
import type { Creds } from '../auth/auth-state.ts'

/** Keys of a device that is not linked yet. Only ever for an explicit pairing. */
export function newIdentity(): Creds {
  return initAuthCreds()
}
