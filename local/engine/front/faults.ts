/** Faults of the AWS services on demand, for tests: what a call meets in place of its answer, or before it. */
import type { Principal } from '../iam/principals.ts'
import { ServiceError } from './call.ts'

export interface ServiceFault {
  /** As signatures name it: `dynamodb` (with its streams), `s3`, `sqs`, … */
  readonly service: string
  /** What the caller's title begins with, e.g. `connector`. Default: everybody. */
  readonly caller?: string
  /** Share of the calls that meet it, 0 to 1. Default: all. */
  readonly share?: number
  readonly how: /** An error instead; the service never sees the call. */
    | { readonly kind: 'refuse'; readonly status: 500 | 503 }
    /** Performed late. */
    | { readonly kind: 'delay'; readonly delayMs: number }
    /** Performed, but the caller is cut off before it can know. */
    | { readonly kind: 'lose_answer' }
}

export interface StandingFault {
  /** Calls that met it so far. */
  readonly met: number
  end(): void
}

export interface ServiceFaults {
  inject(fault: ServiceFault): StandingFault
  /** The fault that this call meets; counted. */
  meet(service: string, caller: Principal | undefined): ServiceFault['how'] | undefined
}

export function createServiceFaults(random: () => number = Math.random): ServiceFaults {
  const standing = new Set<{ readonly fault: ServiceFault; met: number }>()
  return {
    inject(fault) {
      const entry = { fault, met: 0 }
      standing.add(entry)
      return {
        get met() {
          return entry.met
        },
        end: () => void standing.delete(entry),
      }
    },
    meet(service, caller) {
      if (standing.size === 0) return undefined
      for (const entry of standing) {
        const { fault } = entry
        if (fault.service !== service) continue
        if (fault.caller !== undefined && caller?.title.startsWith(fault.caller) !== true) continue
        if (random() >= (fault.share ?? 1)) continue
        entry.met += 1
        return fault.how
      }
      return undefined
    },
  }
}

/** In the words that SDKs retry. */
export function refusalOf(how: Extract<ServiceFault['how'], { kind: 'refuse' }>): ServiceError {
  return how.status === 503
    ? new ServiceError('ServiceUnavailable', 'The service is unavailable: a fault was injected.', 503)
    : new ServiceError('InternalServerError', 'The service failed: a fault was injected.', 500)
}
