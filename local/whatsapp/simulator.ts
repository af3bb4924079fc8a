/** The parts of the server, as its handlers see them. */

import type { ServerIdentity } from './certificates.ts'
import type { Directory } from './directory.ts'
import type { EventLog } from './events.ts'
import type { Faults } from './faults.ts'
import type { Groups } from './groups.ts'
import type { MediaStore } from './media-store.ts'
import type { PairingDesk } from './pairing.ts'
import type { PresenceBoard } from './presence.ts'
import type { Router } from './routing.ts'
import type { Stats } from './stats.ts'
import type { StateStore } from './store.ts'

export interface Simulator {
  identity: ServerIdentity
  store: StateStore
  stats: Stats
  faults: Faults
  events: EventLog
  directory: Directory
  groups: Groups
  presence: PresenceBoard
  media: MediaStore
  /** Host and port that media are uploaded to and downloaded from. */
  mediaHost: string
  /** What an upload has to show, told in `media_conn`. */
  mediaAuth: string
  router: Router
  pairing: PairingDesk
  /** Milliseconds since the epoch. */
  now: () => number
}
