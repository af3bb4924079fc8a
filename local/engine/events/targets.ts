/**
 * Delivers one event to one target of a rule. Functions are invoked the asynchronous way: a function error is tried twice
 * again. Queues are tried until they take it or the attempts are over. What can't be delivered is said on the terminal.
 */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { assertNever } from '../../../shared/domain/words.ts'
import type {
  BusEvent,
  EngineLog,
  EventRuleSpec,
  Invoker,
  PrincipalClientConfig,
  RuleTargetSpec,
} from '../contracts.ts'
import { pause } from './pause.ts'

export type QueueTarget = Extract<RuleTargetSpec, { kind: 'queue' }>

export interface DeliveryPolicy {
  /** Lambda's asynchronous invocation: two more attempts. */
  readonly functionRetries: number
  readonly queueRetries: number
  /** Before the first retry; doubles with each. AWS waits one and two minutes, a laptop need not. */
  readonly retryDelayMs: number
}

export const defaultDeliveryPolicy: DeliveryPolicy = { functionRetries: 2, queueRetries: 5, retryDelayMs: 1000 }

export interface TargetDelivery {
  /** Resolves when the event is delivered or given up; never rejects. Stops waiting for retries once `signal` aborts. */
  deliver(rule: EventRuleSpec, target: RuleTargetSpec, event: BusEvent): Promise<void>
  close(): void
}

export function createTargetDelivery(options: {
  readonly invoker: Invoker
  /** How EventBridge reaches a queue. On AWS it does so as a service that the queue's policy admits, under no role. */
  readonly clientFor: (target: QueueTarget, rule: EventRuleSpec) => PrincipalClientConfig
  readonly log: EngineLog
  readonly policy: DeliveryPolicy
  readonly signal: AbortSignal
}): TargetDelivery {
  const { invoker, clientFor, log, policy, signal } = options
  const clients = new Map<string, SQSClient>()

  const clientOf = (config: PrincipalClientConfig): SQSClient => {
    const key = `${config.endpoint} ${config.region} ${config.credentials.accessKeyId}`
    const known = clients.get(key)
    if (known !== undefined) return known
    const client = new SQSClient({ ...config, maxAttempts: 1 })
    clients.set(key, client)
    return client
  }

  /** The failure's sentence, or `undefined` when the target took the event. */
  const attempt = async (rule: EventRuleSpec, target: RuleTargetSpec, event: BusEvent): Promise<string | undefined> => {
    switch (target.kind) {
      case 'function': {
        const payload: unknown = target.input === undefined ? event : JSON.parse(target.input)
        const result = await invoker.invoke(target.functionArn, payload, {
          service: 'events.amazonaws.com',
          sourceArn: rule.ruleArn,
        })
        return result.kind === 'ok' ? undefined : `${result.errorType}: ${result.errorMessage}`
      }
      case 'queue':
        await clientOf(clientFor(target, rule)).send(
          new SendMessageCommand({
            QueueUrl: target.queueUrl,
            MessageBody: target.input ?? JSON.stringify(event),
            ...(target.messageGroupId === undefined ? {} : { MessageGroupId: target.messageGroupId }),
          }),
        )
        return undefined
      default:
        return assertNever(target)
    }
  }

  return {
    async deliver(rule, target, event) {
      const retries = target.kind === 'function' ? policy.functionRetries : policy.queueRetries
      const name = target.kind === 'function' ? target.functionArn : target.queueArn
      for (let attempts = 0; ; attempts += 1) {
        const failure = await attempt(rule, target, event).catch((error: unknown) => String(error))
        if (failure === undefined) return
        if (attempts >= retries || signal.aborted) {
          log.error(`rule ${rule.ruleName}`, `event ${event.id} was not delivered to ${name}: ${failure}`)
          return
        }
        log.warn(`rule ${rule.ruleName}`, `${name} did not take event ${event.id}, trying again: ${failure}`)
        await pause(policy.retryDelayMs * 2 ** attempts, signal)
      }
    },
    close() {
      for (const client of clients.values()) client.destroy()
    },
  }
}
