/** Runs in the renewing thread: a store that counts renewals in memory shared with the test. */
import type { FleetStore } from '../../../../shared/domain/stores/fleet.ts'

export interface CountingStoreSettings {
  /** Int32: counter written last, and a flag that makes the store answer `dead`. */
  readonly shared: SharedArrayBuffer
}

export function openStore({ shared }: CountingStoreSettings): Pick<FleetStore, 'renew'> {
  const slots = new Int32Array(shared)
  return {
    renew: async (_workerId, counter) => {
      if (Atomics.load(slots, 1) === 1) return { kind: 'dead' }
      Atomics.store(slots, 0, counter)
      Atomics.notify(slots, 0)
      return { kind: 'renewed' }
    },
  }
}
