/**
 * What an account may do, as `w:mex` queries tell it. A number that is refused with 463 is under the reach-out time lock
 * for as long as that fault stands.
 */

import { QueryIds, ReachoutTimelockEnforcementType } from '@whiskeysockets/baileys'
import { type BinaryNode, node } from './binary-node.ts'
import type { FaultSubject } from './faults.ts'
import type { Simulator } from './simulator.ts'

export const REACH_OUT_LOCKED = 463
/** The end that is told for a lock without an end of its own. */
const LOCK_MS = 24 * 60 * 60 * 1000

const QUERIES: Record<string, (simulator: Simulator, subject: FaultSubject) => object> = {
  [QueryIds.REACHOUT_TIMELOCK]: (simulator, subject) => ({
    xwa2_fetch_account_reachout_timelock: reachOutLock(simulator, subject),
  }),
  [QueryIds.MESSAGE_CAPPING_INFO]: () => ({ xwa2_message_capping_info: { capping_status: 'NONE' } }),
}

function reachOutLock({ faults, now }: Simulator, subject: FaultSubject): object {
  const fault = faults.find('error-acks', subject, ({ errorCode }) => errorCode === REACH_OUT_LOCKED)
  if (!fault) return { is_active: false }
  return {
    is_active: true,
    time_enforcement_ends: Math.floor((fault.expiresAt ?? now() + LOCK_MS) / 1000).toString(),
    enforcement_type: ReachoutTimelockEnforcementType.WEB_COMPANION_ONLY,
  }
}

/** The answer to a `<query query_id>`, or undefined for one that the server does not know. */
export function answerMex(simulator: Simulator, subject: FaultSubject, query: BinaryNode): BinaryNode | undefined {
  const data = QUERIES[query.attrs.query_id ?? '']?.(simulator, subject)
  return data && node('result', {}, Buffer.from(JSON.stringify({ data })))
}
