import type { ConnectionRow } from './stores/connections.ts'
import type { Epoch, WorkerId } from './words.ts'

/**
 * Which connection takes its worker down? What was opening when a worker died is a suspect; most of them were only there when
 * somebody killed it. So each further test asks more:
 *
 *   1  it was opening, among others: it opens after all others next time, alone, the least suspected first
 *   2  it was opening alone: it opens once a worker has lived for a while without it
 *   3  that worker died as well, while it opened: quarantine
 *
 * Who kills a worker now and then cannot single anybody out: where kills follow one another quickly, nobody has a third test,
 * and where they do not, they miss the moment. Being open ends the suspicion. The quarantine ends by itself, in a test like the
 * third, since it may be wrong all the same; each time that this takes a worker down it lasts twice as long.
 *
 * Words
 *   crashes   openings in a row that the worker did not survive, of one connection
 */
export interface SuspectSettings {
  readonly quarantineMs: number
}

const crashesUntilQuarantine = 3
const crashesUntilProof = 2
const quarantineMsMax = 24 * 3_600_000

/** Whether the last owner began to open it and never came to an end of that. It did not crash if it is the owner once more. */
export function crashedOpening(
  { opening }: Pick<ConnectionRow, 'opening'>,
  owner: { readonly workerId: WorkerId; readonly epoch: Epoch },
): boolean {
  return opening !== undefined && opening.epoch !== owner.epoch && opening.workerId !== owner.workerId
}

/** How long a worker must have lived before it opens who has so many crashes. */
export function livesBeforeMs(crashes: number, provenAfterMs: number): number {
  return crashes >= crashesUntilProof ? provenAfterMs : 0
}

/** How long it is not opened after so many crashes; nothing below three. */
export function quarantineMsAfter(crashes: number, { quarantineMs }: SuspectSettings): number {
  if (crashes < crashesUntilQuarantine) return 0
  return Math.min(quarantineMs * 2 ** Math.min(crashes - crashesUntilQuarantine, 20), quarantineMsMax)
}
