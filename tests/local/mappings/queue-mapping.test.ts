import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { QueueMappingSpec, Running } from '../../../local/engine/contracts.ts'
import { startQueueMapping } from '../../../local/engine/mappings/queue-mapping.ts'
import { fakeFunctions, gate, type Handler, recordedLog } from '../gateway/fake-functions.ts'
import { credentials, region } from './emulators.ts'

interface SqsEvent {
  readonly Records: readonly {
    readonly messageId: string
    readonly body: string
    readonly attributes: Record<string, string>
  }[]
}

let server: FauxqsServer
let client: SQSClient
let endpoint: string
let queues = 0
const running: Running[] = []

beforeAll(async () => {
  server = await startFauxqs({ port: 0, logger: false, host: '127.0.0.1', defaultRegion: region })
  endpoint = `http://127.0.0.1:${server.port}`
  client = new SQSClient({ region, endpoint, credentials })
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((mapping) => mapping.stop()))
})

afterAll(async () => {
  client.destroy()
  await server.stop()
})

const createQueue = (fifo = false, attributes: Record<string, string> = {}) => {
  queues += 1
  const name = `queue${queues}${fifo ? '.fifo' : ''}`
  const all = { VisibilityTimeout: '30', ...(fifo ? { FifoQueue: 'true' } : {}), ...attributes }
  const { queueArn } = server.createQueue(name, { region, attributes: all })
  return { name, queueArn, queueUrl: `${endpoint}/000000000000/${name}` }
}

const start = async (
  queue: ReturnType<typeof createQueue>,
  handler: Handler,
  more: Partial<QueueMappingSpec> = {},
): Promise<{ functions: ReturnType<typeof fakeFunctions>; log: ReturnType<typeof recordedLog>; mapping: Running }> => {
  const functions = fakeFunctions({ work: handler })
  const log = recordedLog()
  const spec: QueueMappingSpec = {
    kind: 'queue',
    mappingId: 'mapping1',
    functionArn: 'work',
    functionTimeoutSeconds: 5,
    queueUrl: queue.queueUrl,
    queueArn: queue.queueArn,
    fifo: queue.name.endsWith('.fifo'),
    batchSize: 10,
    maxBatchingWindowSeconds: 0,
    reportBatchItemFailures: false,
    maxConcurrency: 5,
    filters: [],
    client: { region, endpoint, credentials },
    ...more,
  }
  const mapping = await startQueueMapping(spec, functions, log)
  running.push(mapping)
  return { functions, log, mapping }
}

const send = (queue: ReturnType<typeof createQueue>, MessageBody: string, group?: string) =>
  client.send(
    new SendMessageCommand({
      QueueUrl: queue.queueUrl,
      MessageBody,
      ...(group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: `${group} ${MessageBody}` }),
    }),
  )

const left = (queue: ReturnType<typeof createQueue>): string[] => {
  const messages = server.inspectQueue(queue.name)?.messages
  return [
    ...(messages?.ready ?? []).map(({ body }) => body),
    ...(messages?.inflight ?? []).map(({ message }) => message.body),
  ].sort()
}

const bodies = (event: unknown): string[] => (event as SqsEvent).Records.map(({ body }) => body)

/** Calls back with all bodies seen so far, over all batches, until it resolves. */
const collector = (count: number) => {
  const seen: string[] = []
  const done = gate<string[]>()
  return {
    seen,
    all: done.opened,
    take(event: SqsEvent): void {
      seen.push(...bodies(event))
      if (seen.length >= count) done.open(seen)
    },
  }
}

describe('a queue mapping', () => {
  it('hands a message over as AWS does, then deletes it', async () => {
    const queue = createQueue(true)
    const { MessageId } = await client.send(
      new SendMessageCommand({
        QueueUrl: queue.queueUrl,
        MessageBody: 'hello',
        MessageGroupId: 'g1',
        MessageDeduplicationId: 'd1',
        MessageAttributes: {
          kind: { DataType: 'String', StringValue: 'text' },
          raw: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
        },
      }),
    )
    const { functions, mapping } = await start(queue, () => undefined)
    const { event, source } = await functions.invoked(() => true)
    expect(event).toEqual({
      Records: [
        {
          messageId: MessageId,
          receiptHandle: expect.any(String),
          body: 'hello',
          attributes: expect.objectContaining({
            ApproximateReceiveCount: '1',
            SentTimestamp: expect.stringMatching(/^\d+$/),
            ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d+$/),
            MessageGroupId: 'g1',
            MessageDeduplicationId: 'd1',
            SequenceNumber: expect.any(String),
          }),
          messageAttributes: {
            kind: { stringValue: 'text', stringListValues: [], binaryListValues: [], dataType: 'String' },
            raw: { binaryValue: 'AQI=', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
          },
          md5OfBody: '5d41402abc4b2a76b9719d911017c592',
          md5OfMessageAttributes: expect.any(String),
          eventSource: 'aws:sqs',
          eventSourceARN: queue.queueArn,
          awsRegion: region,
        },
      ],
    })
    expect(source).toEqual({ service: 'mapping', sourceArn: queue.queueArn })
    await mapping.stop()
    expect(left(queue)).toEqual([])
  })

  it('leaves the batch of a failed function to the visibility timeout', async () => {
    const queue = createQueue(false, { VisibilityTimeout: '1' })
    let attempts = 0
    const counts: (string | undefined)[] = []
    const second = gate()
    const { mapping } = await start(queue, (event: SqsEvent) => {
      counts.push(event.Records[0]?.attributes.ApproximateReceiveCount)
      attempts += 1
      if (attempts === 1) throw new Error('once')
      second.open()
    })
    await send(queue, 'm')
    await second.opened
    await mapping.stop()
    expect(counts).toEqual(['1', '2'])
    expect(left(queue)).toEqual([])
  })

  it('moves a poison message to the dead-letter queue by its receives', async () => {
    const dead = createQueue()
    const queue = createQueue(false, {
      VisibilityTimeout: '1',
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.queueArn, maxReceiveCount: 2 }),
    })
    const { functions } = await start(queue, () => {
      throw new Error('always')
    })
    const buried = gate()
    await start(dead, () => buried.open())
    await send(queue, 'poison')
    await buried.opened
    expect(functions.invocations).toHaveLength(2)
  })

  it('deletes all but the reported failures', async () => {
    const queue = createQueue()
    for (const body of ['1', '2', '3']) await send(queue, body)
    const seen = collector(3)
    const { mapping } = await start(
      queue,
      (event: SqsEvent) => {
        seen.take(event)
        const failed = event.Records.filter(({ body }) => body === '2')
        return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
      },
      { reportBatchItemFailures: true },
    )
    await seen.all
    await mapping.stop()
    expect(left(queue)).toEqual(['2'])
  })

  it('takes the whole batch for failed when the report is invalid', async () => {
    const queue = createQueue()
    await send(queue, '1')
    const report = { batchItemFailures: [{ itemIdentifier: 'unknown' }] }
    const { functions, mapping } = await start(queue, () => report, { reportBatchItemFailures: true })
    await functions.invoked(() => true)
    await mapping.stop()
    expect(left(queue)).toEqual(['1'])
  })

  it('holds up a FIFO group from its failure on, and no other group', async () => {
    const queue = createQueue(true)
    for (const body of ['a1', 'a2', 'a3']) await send(queue, body, 'a')
    for (const body of ['b1', 'b2']) await send(queue, body, 'b')
    const seen = new Set<string>()
    const done = gate()
    const { mapping } = await start(
      queue,
      (event: SqsEvent) => {
        for (const body of bodies(event)) seen.add(body)
        if (seen.has('a2') && seen.has('b2')) done.open()
        const failed = event.Records.filter(({ body }) => body === 'a2')
        return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
      },
      { reportBatchItemFailures: true },
    )
    await done.opened
    await mapping.stop()
    expect(left(queue)).toEqual(['a2', 'a3'])
  })

  it('deletes what its filters refuse, without a call', async () => {
    const queue = createQueue()
    for (const body of ['{"kind":"skip"}', 'not json', '{"kind":"take"}']) await send(queue, body)
    const { functions, mapping } = await start(queue, () => undefined, { filters: [{ body: { kind: ['take'] } }] })
    await functions.invoked(() => true)
    await mapping.stop()
    expect(functions.invocations.flatMap(({ event }) => bodies(event))).toEqual(['{"kind":"take"}'])
    expect(left(queue)).toEqual([])
  })

  it('gathers a batch within its window', async () => {
    const queue = createQueue()
    const { functions } = await start(queue, () => undefined, { batchSize: 20, maxBatchingWindowSeconds: 20 })
    for (let index = 0; index < 20; index += 1) await send(queue, String(index))
    const { event } = await functions.invoked(() => true)
    expect(bodies(event)).toHaveLength(20)
  })

  it('never runs more batches at once than its concurrency', async () => {
    const queue = createQueue()
    for (let index = 0; index < 12; index += 1) await send(queue, String(index))
    let now = 0
    let most = 0
    const seen = collector(12)
    await start(
      queue,
      async (event: SqsEvent) => {
        now += 1
        most = Math.max(most, now)
        await new Promise((resolve) => setTimeout(resolve, 5))
        now -= 1
        seen.take(event)
      },
      { batchSize: 1, maxConcurrency: 2 },
    )
    await seen.all
    expect(most).toBe(2)
  })

  it('keeps the order of a FIFO group while other groups go on', async () => {
    const queue = createQueue(true)
    const held = gate()
    const seen: string[] = []
    const done = gate()
    await start(
      queue,
      async (event: SqsEvent) => {
        if (bodies(event).includes('a1')) await held.opened
        seen.push(...bodies(event))
        if (seen.includes('b1')) held.open()
        if (seen.length === 3) done.open()
      },
      { batchSize: 1 },
    )
    await send(queue, 'a1', 'a')
    await send(queue, 'a2', 'a')
    await send(queue, 'b1', 'b')
    await done.opened
    expect(seen).toEqual(['b1', 'a1', 'a2'])
  })

  it('loses nothing when it stops: what runs ends, what was received goes back', async () => {
    const queue = createQueue(true)
    const seen: string[] = []
    for (let index = 0; index < 30; index += 1) await send(queue, String(index).padStart(2, '0'), 'g')
    for (let _round = 0; seen.length < 30; _round += 1) {
      const began = gate()
      const { mapping } = await start(
        queue,
        async (event: SqsEvent) => {
          began.open()
          seen.push(...bodies(event))
        },
        { batchSize: 3 },
      )
      await began.opened
      await mapping.stop()
    }
    expect(seen).toEqual([...seen].sort())
    expect(new Set(seen).size).toBe(30)
    expect(left(queue)).toEqual([])
  })

  it('hands back what the last poll received', async () => {
    const queue = createQueue()
    const { functions, mapping } = await start(queue, () => undefined)
    const stopping = mapping.stop()
    await send(queue, 'late')
    await stopping
    expect(functions.invocations).toHaveLength(0)
    expect(server.inspectQueue(queue.name)?.messages.ready.map(({ body }) => body)).toEqual(['late'])
  })

  it('does not start on a queue that its role can not read', async () => {
    const queue = createQueue()
    await expect(start({ ...queue, queueUrl: `${queue.queueUrl}-missing` }, () => undefined)).rejects.toThrow(
      /the function's role can't read the queue/,
    )
  })

  it('warns of a visibility timeout that AWS refuses', async () => {
    const { log } = await start(createQueue(false, { VisibilityTimeout: '2' }), () => undefined)
    expect(log.lines.join('\n')).toContain("visibility timeout 2 s is less than the function's 5 s")
  })
})
