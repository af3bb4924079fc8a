/** A process that holds a lease and says, whenever it is woken by a timer, whether it still may write. */
import { LeaseGuard, PartitionHolding } from '../../../../connector/fleet/lease-guard.ts'
import { threadedRenewal } from '../../../../connector/fleet/threaded-renewal.ts'
import { processClock } from '../../../../connector/process-clock.ts'

const terms = { leaseMs: 1_500, marginMs: 300, renewMs: 200 }
const renewal = threadedRenewal({
  workerId: 'a',
  terms,
  load: { connections: 0, state: 'live' },
  storeModule: new URL('./counting-store.ts', import.meta.url),
  storeSettings: { shared: new SharedArrayBuffer(8) },
})
const guard = new LeaseGuard(processClock, terms, () => renewal.confirmed())
let holding: PartitionHolding | undefined
setInterval(() => {
  renewal.beat()
  if (holding === undefined && guard.valid()) holding = new PartitionHolding(0, 1, guard, () => {})
  if (holding !== undefined) process.stdout.write(`${holding.held() ? 'held' : 'lost'}\n`)
}, 50)
