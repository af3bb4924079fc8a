import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { DeleteMessageBatchCommand, DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { afterEach, describe, expect, test } from 'vitest'
import { documentClient, objectClient, pollingQueueClient, queueClient } from '../../shared/aws/clients.ts'
import { directDocumentClient } from '../../shared/aws/direct-documents.ts'
import { directPollingClient, directQueueClient } from '../../shared/aws/direct-queues.ts'
import { CallRefused } from '../../shared/aws/guarded-agents.ts'
import { isTransient } from '../../shared/aws/requests.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function service(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('expected a port')
  const credentials = { accessKeyId: 'tests', secretAccessKey: 'tests' }
  return { region: 'eu-west-1', endpoint: `http://127.0.0.1:${address.port}`, credentials }
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const read = new GetCommand({ TableName: 't', Key: { id: '1' } })

test('a service that never answers is given up after the timeout, once per attempt', async () => {
  let requests = 0
  const options = await service(() => {
    requests++
  })
  const failure = await failureOf(documentClient({ ...options, requestTimeoutMs: 1_000, attempts: 2 }).send(read))
  expect(failure).toMatchObject({ name: 'TimeoutError' })
  expect(isTransient(failure)).toBe(true)
  expect(requests).toBe(2)
})

test('an answer that begins and then stops is given up, too', async () => {
  const options = await service((_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half')
  })
  const client = objectClient({ ...options, requestTimeoutMs: 100, attempts: 1 })
  const body = client
    .send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }))
    .then((answer) => answer.Body?.transformToByteArray())
  expect(await failureOf(body)).toBeInstanceOf(Error)
})

test('a broken connection may pass, a refused request does not', async () => {
  const broken = await service((request) => request.socket.destroy())
  expect(isTransient(await failureOf(documentClient({ ...broken, attempts: 1 }).send(read)))).toBe(true)

  const refusing = await service((_request, response) => {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ __type: 'com.amazonaws.dynamodb.v20120810#AccessDeniedException' }))
  })
  const refused = await failureOf(documentClient({ ...refusing, attempts: 1 }).send(read))
  expect(refused).toMatchObject({ name: 'AccessDeniedException' })
  expect(isTransient(refused)).toBe(false)
})

test.each([
  [400, 'ProvisionedThroughputExceededException'],
  [400, 'ThrottlingException'],
  [500, 'InternalServerError'],
  [503, 'ServiceUnavailable'],
])('a service that answers %i %s may pass, and is asked again', async (status, type) => {
  let requests = 0
  const options = await service((_request, response) => {
    requests++
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}` }))
  })
  expect(isTransient(await failureOf(documentClient({ ...options, attempts: 2 }).send(read)))).toBe(true)
  expect(requests).toBe(2)
})

test('every queue is polled at the same time: beyond the fifty sockets that the SDK has of its own', async () => {
  const waiting: (() => void)[] = []
  const all = Promise.withResolvers<void>()
  const options = await service((_request, response) => {
    waiting.push(() => response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}'))
    if (waiting.length === 64) all.resolve()
  })
  const client = pollingQueueClient({ ...options, sockets: 64 })
  const polls = Array.from({ length: 64 }, (_, i) =>
    client.send(
      new ReceiveMessageCommand({ QueueUrl: `${options.endpoint}/0/partition-${i}.fifo`, WaitTimeSeconds: 20 }),
    ),
  )
  await all.promise
  for (const answer of waiting) answer()
  await Promise.all(polls)
})

test('who loses the right to call while a call is under way does not try it again, nor calls anything else', async () => {
  let requests = 0
  let allowed = true
  const options = await service((_request, response) => {
    requests++
    allowed = false
    response.writeHead(500).end()
  })
  const mayCall = () => allowed
  expect(await failureOf(documentClient({ ...options, mayCall }).send(read))).toBeInstanceOf(CallRefused)
  expect(requests).toBe(1)
  const object = new GetObjectCommand({ Bucket: 'b', Key: 'k' })
  expect(await failureOf(objectClient({ ...options, mayCall }).send(object))).toBeInstanceOf(CallRefused)
  const queue = { QueueUrl: `${options.endpoint}/1/q` }
  const receive = new ReceiveMessageCommand(queue)
  expect(await failureOf(pollingQueueClient({ ...options, sockets: 1, mayCall }).send(receive))).toBeInstanceOf(
    CallRefused,
  )
  const remove = new DeleteMessageCommand({ ...queue, ReceiptHandle: 'r' })
  expect(await failureOf(queueClient({ ...options, mayCall }).send(remove))).toBeInstanceOf(CallRefused)
  expect(await failureOf(directPollingClient({ ...options, sockets: 1, mayCall }).send(receive))).toBeInstanceOf(
    CallRefused,
  )
  expect(requests).toBe(1)
})

test('the queues of a connector are asked past the SDK once it has said where they are, and by it where that went wrong', async () => {
  const asked: { readonly by: 'the SDK' | 'us'; readonly target: unknown; readonly body: unknown }[] = []
  let fails = false
  const options = await service(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { 'user-agent': agent, 'x-amz-target': target } = request.headers
    asked.push({
      by: agent === undefined ? 'us' : 'the SDK',
      target,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    })
    if (fails && agent === undefined) response.writeHead(500).end()
    else response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{"Failed":[],"Successful":[]}')
  })
  const client = directQueueClient(options)
  const remove = (queue: string) =>
    client.send(
      new DeleteMessageBatchCommand({
        QueueUrl: `${options.endpoint}/1/${queue}`,
        Entries: [{ Id: '0', ReceiptHandle: 'r' }],
      }),
    )
  const askedFor = async (queue: string) => {
    const before = asked.length
    expect((await remove(queue)).Failed).toEqual([])
    return asked.slice(before).map(({ by }) => by)
  }
  expect(await askedFor('a')).toEqual(['the SDK'])
  expect(await askedFor('a')).toEqual(['us'])
  expect(await askedFor('b')).toEqual(['the SDK'])
  expect(new Set(asked.slice(0, 2).map(({ target, body }) => JSON.stringify({ target, body }))).size).toBe(1)
  fails = true
  expect(await askedFor('a')).toEqual(['us', 'the SDK'])
})

describe('who loses the right to call after the call was let through', () => {
  const answered: RequestListener = (_request, response) =>
    void response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}')
  const clients = [
    ['the SDK', documentClient],
    ['the direct client', directDocumentClient],
  ] as const

  test.each(
    clients,
  )('%s: while its socket connects, or on a socket that is kept: nothing leaves', async (_name, open) => {
    let requests = 0
    let left = Number.POSITIVE_INFINITY
    const options = await service((request, response) => {
      requests++
      answered(request, response)
    })
    const mayCall = () => --left >= 0
    const fresh = open({ ...options, mayCall })
    left = 1
    expect(await failureOf(fresh.send(read))).toBeInstanceOf(CallRefused)
    expect(left).toBeLessThan(0)
    expect(requests).toBe(0)
    // Told where to, it has a socket that is kept.
    left = Number.POSITIVE_INFINITY
    await fresh.send(read)
    await fresh.send(read)
    left = 1
    expect(await failureOf(fresh.send(read))).toBeInstanceOf(CallRefused)
    expect(requests).toBe(2)
  })

  test.each(clients)('%s: while it waits for a free socket: nothing leaves', async (_name, open) => {
    const waiting: (() => void)[] = []
    const arrived = Promise.withResolvers<void>()
    let allowed = true
    let held = false
    const options = await service((request, response) => {
      if (!held) return answered(request, response)
      waiting.push(() => answered(request, response))
      arrived.resolve()
    })
    const client = open({ ...options, sockets: 1, mayCall: () => allowed })
    await client.send(read)
    held = true
    const [first, second] = [client.send(read), failureOf(client.send(read))]
    await arrived.promise
    allowed = false
    for (const answer of waiting) answer()
    await first
    expect(await second).toBeInstanceOf(CallRefused)
    expect(waiting).toHaveLength(1)
  })
})
