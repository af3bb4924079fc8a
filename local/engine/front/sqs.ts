/** SQS: fauxqs in memory, made from the template's queues. What a restart finds in a queue is nothing, as the rows are the truth. */

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildApp } from 'fauxqs'
import type { Running } from '../contracts.ts'
import { isObject } from '../template/json.ts'
import type { QueueSpec } from '../template/specs.ts'
import { type Demand, type FrontCall, type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse, text, viaService } from './dynamodb.ts'
import { createUpstream, forward, type Upstream } from './proxy.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.0', accessDenied: 'AccessDeniedException', deniedStatus: 403 }

/** Batch calls need the single call's action; the rest need their own. */
const ACTIONS: Readonly<Record<string, string>> = {
  SendMessage: 'SendMessage',
  SendMessageBatch: 'SendMessage',
  ReceiveMessage: 'ReceiveMessage',
  DeleteMessage: 'DeleteMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibility: 'ChangeMessageVisibility',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
  GetQueueAttributes: 'GetQueueAttributes',
  SetQueueAttributes: 'SetQueueAttributes',
  GetQueueUrl: 'GetQueueUrl',
  PurgeQueue: 'PurgeQueue',
  ListQueues: 'ListQueues',
}

export interface Queues extends Running {
  readonly upstream: Upstream
}

/** Queues first, then redrive policies: a queue may come before its dead-letter queue. */
export async function startQueues(queues: readonly QueueSpec[], region: string): Promise<Queues> {
  const app: FastifyInstance = buildApp({ logger: false, defaultRegion: region })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const upstream = createUpstream(port)
  const command = async (operation: string, input: object): Promise<void> => {
    const scope = `Credential=root/20250101/${region}/sqs/aws4_request`
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      headers: {
        authorization: `AWS4-HMAC-SHA256 ${scope}`,
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AmazonSQS.${operation}`,
      },
      payload: JSON.stringify(input),
    })
    if (answer.statusCode !== 200) throw new Error(`${operation} ${JSON.stringify(input)}: ${answer.body}`)
  }
  for (const queue of queues) await command('CreateQueue', { QueueName: queue.name, Attributes: queue.attributes })
  for (const { url, redrive } of queues) {
    if (redrive === undefined) continue
    const { deadLetterQueueName, maxReceiveCount } = redrive
    if (!queues.some(({ name }) => name === deadLetterQueueName))
      throw new Error(`${url}: its dead-letter queue ${deadLetterQueueName} does not exist`)
    const deadLetterTargetArn = `arn:aws:sqs:${region}:000000000000:${deadLetterQueueName}`
    await command('SetQueueAttributes', {
      QueueUrl: url,
      Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }) },
    })
  }
  return {
    upstream,
    async stop() {
      app.server.closeAllConnections()
      await app.close()
      upstream.agent.destroy()
    },
  }
}

export function sqsService(
  queues: readonly QueueSpec[],
  upstream: Upstream,
  region: string,
  account: string,
): FrontService {
  const named = (name: string): QueueSpec | undefined => queues.find((queue) => queue.name === name)
  const queueOf = (call: FrontCall): { name: string; queue: QueueSpec | undefined } => {
    const input = parse(call)
    const name =
      call.operation === 'GetQueueUrl' ? text(input, 'QueueName') : (text(input, 'QueueUrl').split('/').pop() ?? '')
    return { name, queue: named(name) }
  }
  return {
    protocol: PROTOCOL,
    demands(call) {
      const action = ACTIONS[call.operation]
      if (action === undefined)
        throw new ServiceError('InvalidAction', `Local mode does not know sqs:${call.operation}`)
      if (action === 'ListQueues')
        return [{ action: 'sqs:ListQueues', resource: `arn:aws:sqs:${region}:${account}:*`, context: {} }]
      const { name, queue } = queueOf(call)
      const resource = queue?.arn ?? `arn:aws:sqs:${region}:${account}:${name}`
      const demands: Demand[] = [{ action: `sqs:${action}`, resource, context: {} }]
      return queue?.keyArn === undefined ? demands : [...demands, ...keyDemands(action, queue.keyArn, region)]
    },
    async handle(call) {
      const answer = await forward(upstream, call)
      if (call.operation === 'ReceiveMessage' && call.signal.aborted)
        await handBack(call, answer.body.toString(), upstream)
      if (call.operation !== 'GetQueueUrl' && call.operation !== 'ListQueues') return answer
      return { ...answer, body: withOurUrls(answer.body.toString(), named) }
    },
  }
}

/** A long poll whose caller has gone may still have taken messages: they go back at once, as they do on AWS. */
async function handBack(call: FrontCall, body: string, upstream: Upstream): Promise<void> {
  const output: unknown = JSON.parse(body)
  const messages = isObject(output) && Array.isArray(output['Messages']) ? output['Messages'].filter(isObject) : []
  for (const { ReceiptHandle } of messages) {
    const input = { QueueUrl: parse(call)['QueueUrl'], ReceiptHandle, VisibilityTimeout: 0 }
    const headers = { ...call.headers, 'x-amz-target': 'AmazonSQS.ChangeMessageVisibility' }
    await forward(upstream, { ...call, headers }, Buffer.from(JSON.stringify(input)))
  }
}

function keyDemands(action: string, keyArn: string, region: string): readonly Demand[] {
  const demand = (key: string): Demand => ({ action: key, resource: keyArn, context: viaService('sqs', region) })
  if (action === 'SendMessage') return [demand('kms:GenerateDataKey'), demand('kms:Decrypt')]
  return action === 'ReceiveMessage' ? [demand('kms:Decrypt')] : []
}

/** The emulator names its own host; clients must come back to the front. */
function withOurUrls(body: string, named: (name: string) => QueueSpec | undefined): string {
  const ours = (url: unknown): unknown =>
    typeof url === 'string' ? (named(url.split('/').pop() ?? '')?.url ?? url) : url
  const output: unknown = JSON.parse(body)
  if (!isObject(output)) return body
  const urls = output['QueueUrls']
  return JSON.stringify({
    ...output,
    ...(output['QueueUrl'] === undefined ? {} : { QueueUrl: ours(output['QueueUrl']) }),
    ...(Array.isArray(urls) ? { QueueUrls: urls.map(ours) } : {}),
  })
}
