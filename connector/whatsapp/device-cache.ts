import type { SocketConfig } from '@whiskeysockets/baileys'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { Clock } from '../ports.ts'

type DeviceCache = NonNullable<SocketConfig['userDevicesCache']>

/** Contacts with a remembered device list, per connection. */
const usersMax = 2_000
/** Device-change notices, which WhatsApp also queues while we are away, are what keeps a list true; this is for one lost. */
const freshForMs = 24 * 60 * 60 * 1000

interface KeptDevices {
  readonly at: number
  readonly devices: unknown
}

/**
 * Device lists that outlive the socket, and the worker, as part of the auth state: with Baileys' own cache, each new socket's
 * first send to a contact asks for its devices and its keys again.
 */
export function deviceCache(state: ConnectionAuthState, clock: Clock): DeviceCache {
  return {
    get<T>(user: string): T | undefined {
      const kept = state.devices(user) as KeptDevices | undefined
      if (kept === undefined || clock.now() - kept.at > freshForMs) return undefined
      return kept.devices as T
    },
    set(user, devices) {
      const kept: KeptDevices = { at: clock.now(), devices }
      state.keepDevices(user, kept)
      const excess = state.deviceLists - usersMax
      if (excess <= 0) return
      for (const oldest of state.deviceUsers().slice(0, excess)) state.keepDevices(oldest, undefined)
    },
    del(user) {
      state.keepDevices(user, undefined)
    },
    flushAll() {
      for (const user of state.deviceUsers()) state.keepDevices(user, undefined)
    },
  }
}
