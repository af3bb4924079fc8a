import { randomUUID } from 'node:crypto'
import {
  BatchGetCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { type ClientOptions, documentClient } from './clients.ts'
import { DirectPosts } from './direct-posts.ts'
import { decodeOutput, encodeInput } from './dynamo-json.ts'

/** A document client whose first attempt is a direct one; a connector makes some requests for every message. */
export function directDocumentClient(options: ClientOptions = {}): Pick<DynamoDBDocumentClient, 'send' | 'destroy'> {
  const attempts = options.attempts ?? 4
  const sdk = documentClient({ ...options, attempts: Math.max(1, attempts - 1) })
  const posts = new DirectPosts(sdk, { ...options, service: 'dynamodb', silenceMs: options.requestTimeoutMs ?? 3_000 })

  async function send(command: DirectCommand): Promise<object> {
    const operation = operations.get(command.constructor)
    if (operation !== undefined) {
      // The same token in both ways, so that a transaction whose answer was lost is not made twice.
      if (operation === 'TransactWriteItems') (command.input as TransactInput).ClientRequestToken ??= randomUUID()
      const output = await posts.post(`DynamoDB_20120810.${operation}`, () => encodeInput(command.input), decodeOutput)
      if (output !== undefined) return output
    }
    return sdk.send(command as never)
  }

  return {
    send: send as DynamoDBDocumentClient['send'],
    destroy: () => {
      posts.close()
      sdk.destroy()
    },
  }
}

interface DirectCommand {
  readonly input: object
}
interface TransactInput {
  ClientRequestToken?: string | undefined
}

const operations = new Map<unknown, string>([
  [GetCommand, 'GetItem'],
  [BatchGetCommand, 'BatchGetItem'],
  [PutCommand, 'PutItem'],
  [UpdateCommand, 'UpdateItem'],
  [DeleteCommand, 'DeleteItem'],
  [QueryCommand, 'Query'],
  [TransactWriteCommand, 'TransactWriteItems'],
])
