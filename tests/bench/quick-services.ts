/**
 * DynamoDB, SQS and S3 that take little of the machine's cores, each in a process of its own, with AWS's latencies, and what was
 * asked of them. Over DynamoDB Local a send costs its one thread 25 ms, and a bench of sends would measure that.
 */
import { dynamoAt, queuesAndObjectsAt } from '../adapters/emulators.ts'
import { NodeProcess } from './children.ts'
import type { Count } from './dynamodb/operations.ts'
import type { Services } from './stack.ts'

/** Of a DynamoDB in the same region, as AWS's own figures and most measurements have it. */
export const latency = { readMs: 2, writeMs: 4 }

export interface Asked {
  /** By operation, then by table. */
  readonly dynamodb: Readonly<Record<string, Readonly<Record<string, Count>>>>
  /** `sqs ReceiveMessage`, `s3 PUT`, … */
  readonly others: Readonly<Record<string, number>>
}

export interface QuickServices extends Services {
  asked(): Promise<Asked>
  forget(): Promise<void>
  /** To see what share of the machine they take. */
  readonly processes: readonly NodeProcess[]
}

export async function startQuickServices(): Promise<QuickServices> {
  const store = new NodeProcess(
    'DynamoDB',
    ['tests/bench/dynamodb/main.ts', String(latency.readMs), String(latency.writeMs)],
    {},
  )
  const queues = new NodeProcess('SQS and S3', ['tests/bench/queues-process.ts'], {})
  const ready = (process: NodeProcess) => process.says('it was ready', ({ event }) => event === 'ready')
  const [{ endpoint }, { port, control }] = await Promise.all([ready(store), ready(queues)])
  const places = [`${endpoint}/counts`, `${control}`]
  const ask = async (method: string): Promise<unknown[]> =>
    Promise.all(places.map(async (place) => (await fetch(place, { method })).json()))
  const dynamo = dynamoAt(String(endpoint))
  return {
    dynamo: {
      ...dynamo,
      async stop() {
        await dynamo.stop()
        await store.end()
      },
    },
    aws: queuesAndObjectsAt(Number(port), () => queues.end()),
    processes: [store, queues],
    async asked() {
      const [dynamodb, others] = await ask('GET')
      return { dynamodb, others } as Asked
    },
    async forget() {
      await ask('DELETE')
    },
  }
}
