import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { CallRefused, guardedHttpAgent, guardedHttpsAgent } from './guarded-agents.ts'

export interface ClientOptions {
  /** Both are the SDK's own default chain where absent. */
  readonly region?: string
  readonly endpoint?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Of one attempt, in milliseconds: until the answer begins, and for every silence after that. */
  readonly requestTimeoutMs?: number
  readonly connectionTimeoutMs?: number
  /** Including the first. Only what may pass is tried again: throttling, 5xx, a broken connection. */
  readonly attempts?: number
  /** Sockets kept open to the service. */
  readonly sockets?: number
  /** Asked before every attempt, those of the SDK's own retries too: whether the caller may still call. Absent: it may. */
  readonly mayCall?: () => boolean
}

/** Below the retries: a process that was frozen writes nothing when it goes on. The agents ask once more. */
const guarding = { step: 'finalizeRequest', priority: 'low', name: 'rightToCall' } as const

const guard =
  ({ mayCall }: ClientOptions) =>
  <Request, Answer>(next: (request: Request) => Promise<Answer>) =>
  async (request: Request): Promise<Answer> => {
    if (mayCall?.() === false) throw new CallRefused()
    return next(request)
  }

function settings(options: ClientOptions, defaults: Required<Pick<ClientOptions, 'requestTimeoutMs' | 'attempts'>>) {
  const maxSockets = options.sockets ?? 50
  const requestTimeoutMs = options.requestTimeoutMs ?? defaults.requestTimeoutMs
  return {
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    maxAttempts: options.attempts ?? defaults.attempts,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: options.connectionTimeoutMs ?? 2_000,
      requestTimeout: requestTimeoutMs,
      // Without this the timeout above only writes a warning.
      throwOnRequestTimeout: true,
      // An answer may begin and then stop.
      socketTimeout: requestTimeoutMs,
      httpAgent: guardedHttpAgent({ keepAlive: true, maxSockets }, options.mayCall),
      httpsAgent: guardedHttpsAgent({ keepAlive: true, maxSockets }, options.mayCall),
    },
  }
}

/** DynamoDB with plain JavaScript values. Attributes that are `undefined` are left out of an item. */
export function documentClient(options: ClientOptions = {}): DynamoDBDocumentClient {
  const client = new DynamoDBClient(settings(options, { requestTimeoutMs: 3_000, attempts: 4 }))
  client.middlewareStack.add(guard(options), guarding)
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
}

/** SQS for sending and for deleting. */
export function queueClient(options: ClientOptions = {}): SQSClient {
  const client = new SQSClient(settings(options, { requestTimeoutMs: 5_000, attempts: 4 }))
  client.middlewareStack.add(guard(options), guarding)
  return client
}

/**
 * SQS for long polls: a client of its own, since a poll holds a socket for as long as it waits, with as many sockets as
 * there are queues to poll, and a timeout beyond the longest wait (20 s).
 */
export function pollingQueueClient(options: ClientOptions & { readonly sockets: number }): SQSClient {
  const client = new SQSClient(settings(options, { requestTimeoutMs: 25_000, attempts: 2 }))
  client.middlewareStack.add(guard(options), guarding)
  return client
}

/**
 * S3. Checksums are the auth store's own (SHA-256, sent with the object and compared after reading), so the SDK's are
 * computed only where an operation demands them.
 */
export function objectClient(options: ClientOptions = {}): S3Client {
  const client = new S3Client({
    ...settings(options, { requestTimeoutMs: 15_000, attempts: 4 }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(options.endpoint === undefined ? {} : { forcePathStyle: true }),
  })
  client.middlewareStack.add(guard(options), guarding)
  return client
}
