import { createServer, type Server } from 'node:http'
import type { Clock } from '../ports.ts'

/** What `GET /health` tells. Milliseconds; `null`: never yet. */
export interface HealthReport {
  readonly healthy: boolean
  readonly leaseHeld: boolean
  /** Since the fleet table was read last. */
  readonly fleetSeenAgoMs: number | null
  /** Since a poll of a partition queue was answered last. */
  readonly doorbellsHeardAgoMs: number | null
  readonly partitions: number
  readonly connections: number
  readonly restoring: { readonly done: number; readonly total: number }
}

/**
 * A worker without a lease has closed its sockets and tries to get it back; while DynamoDB is away, a restart would not help.
 * Only when that lasts is the process itself taken to be at fault. That it answers at all shows that its event loop turns.
 */
const leaseAwayMsMax = 300_000

export class Health {
  readonly #clock: Clock
  readonly #look: () => Omit<HealthReport, 'healthy'>
  #heldAt: number
  #server: Server | undefined

  constructor(clock: Clock, look: () => Omit<HealthReport, 'healthy'>) {
    this.#clock = clock
    this.#look = look
    this.#heldAt = clock.monotonic()
  }

  report(): HealthReport {
    const seen = this.#look()
    const now = this.#clock.monotonic()
    if (seen.leaseHeld) this.#heldAt = now
    return { healthy: now - this.#heldAt < leaseAwayMsMax, ...seen }
  }

  /** Rejects when the address is in use or cannot be made. */
  async listen(address: string): Promise<void> {
    const server = createServer((request, response) => {
      if (request.method !== 'GET' || request.url !== '/health') {
        response.writeHead(404).end()
        return
      }
      const report = this.report()
      response.writeHead(report.healthy ? 200 : 503, { 'content-type': 'application/json' })
      response.end(JSON.stringify(report))
    })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(address, resolve)
    await promise
    this.#server = server
  }

  close(): void {
    this.#server?.close()
    this.#server?.closeAllConnections()
  }
}
