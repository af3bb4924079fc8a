/**
 * Custom resources as CloudFormation makes them: the function is given the request, and answers with a PUT to an address of
 * one use. Every start is a `Create`: they are made to be repeated.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Invoker } from './contracts.ts'
import { readWhole } from './front/call.ts'
import type { CustomResourceSpec } from './template/specs.ts'

export interface CustomResources {
  /** Answers of functions, below this path of the front. */
  readonly prefix: string
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Rejects with the function's own reason. */
  create(specs: readonly CustomResourceSpec[], invoker: Invoker, localize: (value: string) => string): Promise<void>
}

const ANSWER_BYTES_MAX = 4_096

export function createCustomResources(frontUrl: string): CustomResources {
  const prefix = '/_local/custom-resources/'
  const awaited = new Map<string, (answer: unknown) => void>()
  return {
    prefix,
    handle(request, response) {
      const requestId = (request.url ?? '').slice(prefix.length)
      const take = awaited.get(requestId)
      if (request.method !== 'PUT' || take === undefined) {
        response.writeHead(403).end()
        return
      }
      readWhole(request, ANSWER_BYTES_MAX).then(
        (body) => {
          awaited.delete(requestId)
          response.writeHead(200).end()
          take(JSON.parse(body.toString('utf8')))
        },
        () => response.writeHead(400).end(),
      )
    },
    async create(specs, invoker, localize) {
      for (const { logicalId, type, functionArn, properties } of specs) {
        const requestId = randomUUID()
        const answered = new Promise<unknown>((resolve) => awaited.set(requestId, resolve))
        const event = {
          RequestType: 'Create',
          RequestId: requestId,
          ResponseURL: `${frontUrl}${prefix}${requestId}`,
          StackId: 'local',
          ResourceType: type,
          LogicalResourceId: logicalId,
          ServiceToken: functionArn,
          ResourceProperties: JSON.parse(localize(JSON.stringify(properties))),
        }
        const result = await invoker.invoke(functionArn, event, {
          service: 'cloudformation.amazonaws.com',
          sourceArn: 'local',
        })
        if (result.kind === 'error') throw new Error(`${logicalId}: its function failed: ${result.errorMessage}`)
        const { Status, Reason } = (await answered) as { readonly Status?: string; readonly Reason?: string }
        if (Status !== 'SUCCESS') throw new Error(`${logicalId}: ${Reason ?? 'its function gave no reason'}`)
      }
    },
  }
}
