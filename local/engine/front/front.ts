/**
 * The one endpoint of all AWS SDK clients: reads who calls what from the signature, has the template's policies judge it,
 * records it, and hands it to the service behind.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { EngineLog } from '../contracts.ts'
import type { Access } from '../iam/access.ts'
import type { Principals } from '../iam/principals.ts'
import type { Observe } from '../observed.ts'
import { accessDenied, errorAnswer, unknownCaller } from './answers.ts'
import {
  type Answer,
  type FrontCall,
  type FrontService,
  type PassingService,
  type Protocol,
  readWhole,
  ServiceError,
} from './call.ts'
import { refusalOf, type ServiceFaults } from './faults.ts'
import { checkPresigned } from './presigned.ts'
import { type Scope, scopeOf } from './signature.ts'

/** By SigV4 service name; streams, which share `dynamodb`, are `streams` here. */
export type FrontServices = Readonly<Record<string, FrontService | PassingService>>

export interface Front {
  /** False: no SDK signed this request. */
  handles(request: IncomingMessage): boolean
  /** Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}

/** S3 takes 5 GB in one put; nobody's laptop test needs that. */
const BODY_LIMIT_BYTES = 256 * 1024 * 1024

const PLAIN: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }

export function createFront(options: {
  readonly services: FrontServices
  readonly principals: Principals
  readonly access: Access
  readonly faults?: ServiceFaults
  readonly observe?: Observe | undefined
  readonly log: EngineLog
}): Front {
  const { services, principals, access, faults, observe, log } = options
  return {
    handles: (request) => scopeOf(request) !== undefined,
    async handle(request, response) {
      const scope = scopeOf(request)
      if (scope === undefined) return
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const fault = faults?.meet(scope.service, principals.find(scope.accessKeyId))
      if (fault?.kind === 'refuse') {
        request.resume()
        send(response, request, errorAnswer(serviceOf(scope, request)?.protocol ?? PLAIN, refusalOf(fault)))
        return
      }
      if (fault?.kind === 'delay') await delay(fault.delayMs)
      const answer = await answerTo(request, response, scope, gone.signal).catch((error: unknown): Answer => {
        log.error(`front ${scope.service}`, error instanceof Error ? (error.stack ?? error.message) : String(error))
        return errorAnswer(
          serviceOf(scope, request)?.protocol ?? PLAIN,
          new ServiceError('InternalFailure', 'Local mode failed; see its log.', 500),
        )
      })
      if (fault?.kind === 'lose_answer') response.destroy()
      else if (answer !== 'passed on') send(response, request, answer)
    },
  }

  function serviceOf(scope: Scope, request: IncomingMessage): FrontService | PassingService | undefined {
    const target = request.headers['x-amz-target']
    const streams = typeof target === 'string' && target.startsWith('DynamoDBStreams_')
    return services[streams ? 'streams' : scope.service]
  }

  async function answerTo(
    request: IncomingMessage,
    response: ServerResponse,
    scope: Scope,
    signal: AbortSignal,
  ): Promise<Answer | 'passed on'> {
    const service = serviceOf(scope, request)
    if (service === undefined) {
      const message = `Local mode does not run the service ${scope.service}`
      log.error('front', `${message}, which ${principals.find(scope.accessKeyId)?.title ?? 'somebody'} called`)
      return errorAnswer(PLAIN, new ServiceError('UnknownOperationException', message))
    }
    const principal = principals.find(scope.accessKeyId)
    if (principal === undefined) return unknownCaller(service.protocol)
    try {
      const [path, queryText] = split(request.url ?? '/')
      const query = new URLSearchParams(queryText)
      // A preflight asks for a call that follows: it carries that call's signature.
      if (scope.presigned && request.method !== 'OPTIONS') {
        checkPresigned(request, principals.secretOf(scope.accessKeyId) ?? '')
      }
      const { method = 'GET', headers } = request
      const body = 'pass' in service ? Buffer.alloc(0) : await readWhole(request, BODY_LIMIT_BYTES)
      const operation = operationOf(request, service.protocol, body)
      const call: FrontCall = { principal, method, path, query, headers, operation, body, signal }
      const demands = service.demands(call)
      const verdict = access.judge(principal, demands)
      if (verdict.kind === 'refused') return accessDenied(service.protocol, verdict.message)
      if ('handle' in service) {
        const answer = await service.handle(call)
        observe?.({ kind: 'request', call, demands, answer })
        return answer
      }
      await service.pass(request, response)
      observe?.({ kind: 'request', call, demands })
      return 'passed on'
    } catch (error) {
      if (error instanceof ServiceError) return errorAnswer(service.protocol, error)
      throw error
    }
  }
}

function operationOf(request: IncomingMessage, protocol: Protocol, body: Buffer): string {
  if (protocol.kind === 'query') return new URLSearchParams(body.toString('utf8')).get('Action') ?? ''
  const target = request.headers['x-amz-target']
  return typeof target === 'string' ? target.slice(target.lastIndexOf('.') + 1) : ''
}

function split(url: string): readonly [string, string] {
  const mark = url.indexOf('?')
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)]
}

function send(response: ServerResponse, request: IncomingMessage, answer: Answer): void {
  if (response.destroyed) return
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  // A body that was refused half-way would be read as the next request.
  if (!request.complete) response.setHeader('connection', 'close')
  const head = request.method === 'HEAD'
  response.writeHead(
    answer.status,
    head ? answer.headers : { ...answer.headers, 'content-length': String(body.length) },
  )
  response.end(head || answer.status === 204 || answer.status === 304 ? undefined : body)
}
