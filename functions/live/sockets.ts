import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'

/** Posts that one process has in flight. */
export const socketsAtOnce = 100

/** `gone`: API Gateway has no such socket, which is also what it says before `$connect` has returned. */
export type Delivery =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly error: Error }

/** The open sockets of browsers. The client tries again what may pass (throttling, 5xx) before it says `failed`. */
export class Sockets {
  readonly #client: ApiGatewayManagementApiClient

  constructor(client: ApiGatewayManagementApiClient) {
    this.#client = client
  }

  post(socketId: string, payload: string): Promise<Delivery> {
    return outcome(this.#client.send(new PostToConnectionCommand({ ConnectionId: socketId, Data: payload })))
  }

  close(socketId: string): Promise<Delivery> {
    return outcome(this.#client.send(new DeleteConnectionCommand({ ConnectionId: socketId })))
  }
}

async function outcome(call: Promise<unknown>): Promise<Delivery> {
  try {
    await call
    return { kind: 'delivered' }
  } catch (error) {
    if (error instanceof GoneException) return { kind: 'gone' }
    return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) }
  }
}

export function socketsAt(callbackUrl: string): Sockets {
  return new Sockets(
    new ApiGatewayManagementApiClient({
      endpoint: callbackUrl,
      maxAttempts: 3,
      // All attempts and the waits between them end within 8 seconds.
      requestHandler: {
        connectionTimeout: 1_000,
        requestTimeout: 2_000,
        throwOnRequestTimeout: true,
        httpAgent: { maxSockets: socketsAtOnce },
        httpsAgent: { maxSockets: socketsAtOnce },
      },
    }),
  )
}
