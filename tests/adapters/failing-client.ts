import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { type ClientOptions, documentClient } from '../../shared/aws/clients.ts'

type Failure = 'answer lost' | 'request lost' | 'conflict' | 'throttled'

export interface FailingClient {
  readonly documents: DynamoDBDocumentClient
  /** What happens to the next attempts of that command, in order; attempts after them go through. */
  next(command: string, ...failures: readonly Failure[]): void
  /** Attempts of that command so far, those that failed included. */
  attempts(command: string): number
}

/**
 * A real client to the emulator whose network does what an emulator can't: every attempt, below the SDK's own retries, may be
 * lost before or after the table did it, or meet another.
 */
export function failingClient(options: ClientOptions): FailingClient {
  const documents = documentClient(options)
  const planned = new Map<string, Failure[]>()
  const counts = new Map<string, number>()
  documents.middlewareStack.add(
    (next, context) => async (args) => {
      const command = String(context.commandName)
      counts.set(command, (counts.get(command) ?? 0) + 1)
      const failure = planned.get(command)?.shift()
      switch (failure) {
        case undefined:
          return next(args)
        case 'request lost':
          throw timeout()
        case 'answer lost':
          await next(args)
          throw timeout()
        case 'conflict':
          throw command.startsWith('TransactWrite')
            ? cancelled('TransactionConflict')
            : new TransactionConflictException({ message: 'ongoing transaction', $metadata: {} })
        case 'throttled':
          throw cancelled('ThrottlingError')
      }
    },
    // Below the retries (finalizeRequest, high) and beside the signature: once per attempt.
    { step: 'finalizeRequest', priority: 'low', name: 'failures' },
  )
  return {
    documents,
    next: (command, ...failures) => void planned.set(command, [...failures]),
    attempts: (command) => counts.get(command) ?? 0,
  }
}

const timeout = () => Object.assign(new Error('socket timed out'), { name: 'TimeoutError' })

const cancelled = (code: string) =>
  new TransactionCanceledException({
    message: `Transaction cancelled [None, ${code}]`,
    CancellationReasons: [{ Code: 'None' }, { Code: code }],
    $metadata: {},
  })
