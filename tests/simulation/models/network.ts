import type { Clock } from '../../../connector/ports.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'

/** What happens to one request. Times from the moment of the call, on the network's clock. */
export interface Fate {
  /** When the store does it; `never`: it got lost on the way. Absent: within the call itself. */
  readonly arrivesAfterMs?: number | 'never'
  /** The caller gives up with an error after this time, whatever the store did or will do. Absent: it gets the answer. */
  readonly givesUpAfterMs?: number
}

/** Decides what happens to each request to a model store. */
export interface StoreNetwork {
  readonly clock: Clock
  fate(call: string, ref: ConnectionRef | undefined): Fate
}

/** One request: `effect` runs at one instant, when it arrives; the caller may have given up by then. */
export function request<T>(
  network: StoreNetwork | undefined,
  call: string,
  ref: ConnectionRef | undefined,
  effect: () => T,
): Promise<T> {
  const fate = network?.fate(call, ref) ?? {}
  if (network === undefined || (fate.arrivesAfterMs === undefined && fate.givesUpAfterMs === undefined)) {
    return new Promise((resolve) => resolve(effect()))
  }
  const { clock } = network
  return new Promise<T>((resolve, reject) => {
    if (fate.givesUpAfterMs !== undefined) {
      clock.after(fate.givesUpAfterMs, () => reject(new Error(`model store: no answer to ${call}`)))
    }
    if (fate.arrivesAfterMs === 'never') {
      if (fate.givesUpAfterMs === undefined) clock.after(0, () => reject(new Error(`model store: ${call} got lost`)))
      return
    }
    const arrives = fate.arrivesAfterMs ?? 0
    clock.after(arrives, () => {
      try {
        resolve(effect())
      } catch (error) {
        reject(error)
      }
    })
  })
}

export const keyOf = (ref: ConnectionRef): string => `${ref.businessProfileId}#${ref.connectionId}`
