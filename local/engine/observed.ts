/** What a run of local mode makes AWS do, for whoever counts what that would cost. */
import type { InvokeSource } from './contracts.ts'
import type { RingLog } from './engine-log.ts'
import type { Answer, Demand, FrontCall } from './front/call.ts'

export type Observed =
  | {
      readonly kind: 'request'
      readonly call: FrontCall
      /** What the call stands for; of DynamoDB, SQS and S3 the first names the table, queue or bucket. */
      readonly demands: readonly Demand[]
      /** Absent where the service wrote it itself. DynamoDB's says what capacity it consumed, asked for or not. */
      readonly answer?: Answer
    }
  | { readonly kind: 'invocation'; readonly functionTitle: string; readonly source: InvokeSource }
  /** A line that would go to CloudWatch Logs, the embedded metric format among them. */
  | { readonly kind: 'line'; readonly part: string; readonly message: string }

export type Observe = (observed: Observed) => void

export function observeLines(log: RingLog, observe: Observe | undefined): RingLog {
  if (observe === undefined) return log
  const told =
    (level: 'info' | 'warn' | 'error') =>
    (part: string, message: string): void => {
      observe({ kind: 'line', part, message })
      log[level](part, message)
    }
  return { ...log, info: told('info'), warn: told('warn'), error: told('error') }
}
