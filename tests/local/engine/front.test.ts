import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { DynamoDBClient, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetQueueUrlCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Credentials } from '../../../local/engine/contracts.ts'
import { createServiceFaults } from '../../../local/engine/front/faults.ts'
import { createFront } from '../../../local/engine/front/front.ts'
import { createParameterStore } from '../../../local/engine/front/parameters.ts'
import { openS3Store } from '../../../local/engine/front/s3-store.ts'
import { openSecretStore } from '../../../local/engine/front/secrets.ts'
import { frontServices } from '../../../local/engine/front/services.ts'
import { type Queues, startQueues } from '../../../local/engine/front/sqs.ts'
import { createAccess } from '../../../local/engine/iam/access.ts'
import { createLedger } from '../../../local/engine/iam/ledger.ts'
import { readPolicy } from '../../../local/engine/iam/policy.ts'
import { createPrincipals } from '../../../local/engine/iam/principals.ts'
import { type Listener, listen } from '../../../local/engine/listener.ts'
import type { Observed } from '../../../local/engine/observed.ts'
import type { Model } from '../../../local/engine/template/specs.ts'
import { recordingLog } from './recording-log.ts'

const region = 'us-east-1'
const account = '000000000000'
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account}:${rest}`
const KEY = arn('kms', 'key/k')
const ledger = createLedger()
const log = recordingLog()
const faults = createServiceFaults()
const observed: Observed[] = []
let directory = ''
let listener: Listener
let queues: Queues
let root: Credentials
let worker: Credentials
let nobody: Credentials
let ours: { readonly region: string; readonly endpoint: string }

function model(endpoint: string): Model {
  const policies = [
    readPolicy(
      {
        Statement: [
          {
            Effect: 'Allow',
            Action: 's3:*',
            Resource: ['arn:aws:s3:::open', 'arn:aws:s3:::open/*', 'arn:aws:s3:::sealed/*'],
          },
          { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: arn('sqs', 'jobs') },
          { Effect: 'Allow', Action: 'dynamodb:PutItem', Resource: arn('dynamodb', 'table/items') },
        ],
      },
      'own',
      'identity',
      'policy',
    ),
  ]
  const role = (name: string, own: Model['roles'][number]['policies']) => ({
    arn: `arn:aws:iam::${account}:role/${name}`,
    name,
    services: [],
    policies: own,
  })
  const queue = (name: string) => ({
    name,
    url: `${endpoint}/${account}/${name}`,
    arn: arn('sqs', name),
    fifo: false,
    attributes: {},
  })
  return {
    region,
    account,
    queues: [queue('jobs'), queue('other')],
    tables: [
      {
        name: 'items',
        arn: arn('dynamodb', 'table/items'),
        streamArn: 's',
        attributes: [],
        partitionKey: 'pk',
        indexes: [],
      },
    ],
    buckets: [
      { name: 'open', arn: 'arn:aws:s3:::open', cors: [] },
      { name: 'sealed', arn: 'arn:aws:s3:::sealed', cors: [], keyArn: KEY },
    ],
    keyArns: [KEY],
    keyAliases: {},
    secrets: [
      {
        arn: arn('secretsmanager', 'secret:key-abcdef'),
        name: 'key',
        value: { kind: 'generate', length: 40, alphabet: 'ab' },
      },
    ],
    parameters: [{ name: '/version', arn: arn('ssm', 'parameter/version'), type: 'String', value: '7' }],
    roles: [role('worker', policies), role('nobody', [])],
    resourcePolicies: [],
    functions: [],
    permissions: [],
    mappings: [],
    httpApis: [],
    webSocketApis: [],
    rules: [],
    services: [],
    outputs: {},
    apiDomains: [],
    distributions: [],
    customResources: [],
    inert: [],
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-front-'))
  listener = await listen(undefined)
  const specs = model(listener.url)
  queues = await startQueues(specs.queues, region)
  const principals = createPrincipals()
  root = principals.register({ kind: 'root', title: 'root' })
  const credentials = (name: string) => {
    const role = specs.roles.find((each) => each.name === name)
    if (role === undefined) throw new Error(name)
    return principals.register({ kind: 'role', title: `function ${name}`, role })
  }
  worker = credentials('worker')
  nobody = credentials('nobody')
  const services = frontServices(specs, {
    dynamoPort: 1,
    queues: queues.upstream,
    objects: openS3Store(join(directory, 's3'), ['open', 'sealed']),
    secrets: openSecretStore(join(directory, 'secrets.json')),
    parameters: createParameterStore(specs.parameters),
    kmsSecret: 'secret',
    putEvents: (entries) => ({ FailedEntryCount: 0, Entries: entries.map(() => ({ EventId: 'e' })) }),
    managed: () => [],
    ecs: { tasks: () => [], protect: () => undefined, desiredCount: () => 0 },
  })
  const front = createFront({
    services,
    principals,
    access: createAccess({ model: specs, ledger, enforce: true, log }),
    faults,
    observe: (each) => void observed.push(each),
    log,
  })
  listener.serve((request, response) => void front.handle(request, response))
  ours = { region, endpoint: listener.url }
})

afterAll(async () => {
  await listener.stop()
  await queues.stop()
  rmSync(directory, { recursive: true, force: true })
})

const as = (credentials: Credentials) => ({ ...ours, credentials, maxAttempts: 1 })

describe('a call that no policy allows is refused in the shape of its service', () => {
  it('SQS', async () => {
    const sent = new SQSClient(as(nobody)).send(
      new SendMessageCommand({ QueueUrl: `${listener.url}/${account}/jobs`, MessageBody: 'x' }),
    )
    await expect(sent).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(
        'role/nobody/local is not authorized to perform: sqs:SendMessage on resource: arn:aws:sqs:us-east-1:000000000000:jobs',
      ),
      $metadata: { httpStatusCode: 403 },
    })
  })

  it('S3, in XML, and for a HEAD without a body', async () => {
    const s3 = new S3Client(as(nobody))
    await expect(s3.send(new GetObjectCommand({ Bucket: 'open', Key: 'a' }))).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    })
    await expect(s3.send(new HeadObjectCommand({ Bucket: 'open', Key: 'a' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    })
  })

  it('Secrets Manager, SSM, EventBridge', async () => {
    const refused = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } }
    await expect(
      new SecretsManagerClient(as(nobody)).send(new GetSecretValueCommand({ SecretId: 'key' })),
    ).rejects.toMatchObject(refused)
    await expect(new SSMClient(as(nobody)).send(new GetParameterCommand({ Name: '/version' }))).rejects.toMatchObject(
      refused,
    )
    const entry = { Source: 's', DetailType: 't', Detail: '{}' }
    await expect(
      new EventBridgeClient(as(nobody)).send(new PutEventsCommand({ Entries: [entry] })),
    ).rejects.toMatchObject(refused)
  })

  it('a DynamoDB transaction whose one item is not allowed', async () => {
    const put = { Put: { TableName: 'items', Item: { pk: { S: 'a' } } } }
    const check = {
      ConditionCheck: { TableName: 'items', Key: { pk: { S: 'b' } }, ConditionExpression: 'attribute_exists(pk)' },
    }
    const written = new DynamoDBClient(as(worker)).send(new TransactWriteItemsCommand({ TransactItems: [put, check] }))
    await expect(written).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('dynamodb:ConditionCheckItem'),
    })
  })

  it('an object in a bucket whose key the role may not use', async () => {
    const put = new S3Client(as(worker)).send(new PutObjectCommand({ Bucket: 'sealed', Key: 'a', Body: 'x' }))
    await expect(put).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringContaining('kms:GenerateDataKey'),
    })
  })

  it('an access key id that nobody has', async () => {
    const stranger = { accessKeyId: 'AKIA0000000000000000', secretAccessKey: 'x' }
    await expect(new SSMClient(as(stranger)).send(new GetParameterCommand({ Name: '/version' }))).rejects.toMatchObject(
      { name: 'UnrecognizedClientException' },
    )
    await expect(
      new S3Client(as(stranger)).send(new GetObjectCommand({ Bucket: 'open', Key: 'a' })),
    ).rejects.toMatchObject({ name: 'InvalidAccessKeyId' })
  })

  it('and is recorded with its role', () => {
    expect(ledger.counts()).toContainEqual({
      role: 'nobody',
      action: 'sqs:SendMessage',
      resource: arn('sqs', 'jobs'),
      allowed: 0,
      refused: 1,
    })
    expect(ledger.recent()).toContainEqual(
      expect.objectContaining({ role: 'nobody', by: 'function nobody', action: 'ssm:GetParameter', allowed: false }),
    )
  })
})

describe('SQS', () => {
  it('takes what is allowed, and gives URLs that lead back to the front', async () => {
    const { QueueUrl } = await new SQSClient(as(root)).send(new GetQueueUrlCommand({ QueueName: 'jobs' }))
    expect(QueueUrl).toBe(`${listener.url}/${account}/jobs`)
    await new SQSClient(as(worker)).send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }))
    const { Messages } = await new SQSClient(as(root)).send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 2 }))
    expect(Messages?.map(({ Body }) => Body)).toEqual(['hello'])
  })

  it('gives back what an aborted long poll had taken', async () => {
    const QueueUrl = `${listener.url}/${account}/other`
    const sqs = new SQSClient(as(root))
    const gone = new AbortController()
    const poll = sqs
      .send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }), { abortSignal: gone.signal })
      .catch(() => 'aborted')
    // The poll is at the emulator once it is in the ledger.
    while (
      !ledger
        .counts()
        .some(({ action, resource }) => action === 'sqs:ReceiveMessage' && resource === arn('sqs', 'other'))
    ) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    gone.abort()
    expect(await poll).toBe('aborted')
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'kept' }))
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))
    expect(Messages?.map(({ Body }) => Body)).toEqual(['kept'])
  })
})

describe('S3', () => {
  const s3 = () => new S3Client(as(worker))

  it('keeps objects with their metadata and checksums', async () => {
    await s3().send(
      new PutObjectCommand({
        Bucket: 'open',
        Key: 'a b/ü.txt',
        Body: 'hello',
        ContentType: 'text/plain',
        Metadata: { x: '1' },
        ChecksumAlgorithm: 'SHA256',
      }),
    )
    const got = await s3().send(new GetObjectCommand({ Bucket: 'open', Key: 'a b/ü.txt', ChecksumMode: 'ENABLED' }))
    expect(await got.Body?.transformToString()).toBe('hello')
    expect(got).toMatchObject({
      ContentType: 'text/plain',
      Metadata: { x: '1' },
      ChecksumSHA256: expect.any(String),
      ETag: '"5d41402abc4b2a76b9719d911017c592"',
    })
    const ranged = await s3().send(new GetObjectCommand({ Bucket: 'open', Key: 'a b/ü.txt', Range: 'bytes=1-2' }))
    expect(await ranged.Body?.transformToString()).toBe('el')
    expect(await s3().send(new HeadObjectCommand({ Bucket: 'open', Key: 'a b/ü.txt' }))).toMatchObject({
      ContentLength: 5,
    })
  })

  it('takes streamed bodies', async () => {
    const Body = Readable.from([Buffer.from('one '), Buffer.from('two')])
    await s3().send(new PutObjectCommand({ Bucket: 'open', Key: 'stream', Body, ContentLength: 7 }))
    const got = await s3().send(new GetObjectCommand({ Bucket: 'open', Key: 'stream' }))
    expect(await got.Body?.transformToString()).toBe('one two')
  })

  it('lets one of many racing writers create an object', async () => {
    const writes = Array.from({ length: 20 }, (_, index) =>
      s3()
        .send(new PutObjectCommand({ Bucket: 'open', Key: 'race', Body: String(index), IfNoneMatch: '*' }))
        .then(
          () => 'won',
          (error: Error) => error.name,
        ),
    )
    const outcomes = await Promise.all(writes)
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'PreconditionFailed')).toHaveLength(19)
  })

  it('lists in pages, by prefix and by delimiter', async () => {
    for (const Key of ['l/1', 'l/2', 'l/sub/3', 'l/sub/4'])
      await s3().send(new PutObjectCommand({ Bucket: 'open', Key, Body: 'x' }))
    const first = await s3().send(new ListObjectsV2Command({ Bucket: 'open', Prefix: 'l/', MaxKeys: 3 }))
    expect(first.Contents?.map(({ Key }) => Key)).toEqual(['l/1', 'l/2', 'l/sub/3'])
    const second = await s3().send(
      new ListObjectsV2Command({ Bucket: 'open', Prefix: 'l/', ContinuationToken: first.NextContinuationToken }),
    )
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['l/sub/4'])
    const folders = await s3().send(new ListObjectsV2Command({ Bucket: 'open', Prefix: 'l/', Delimiter: '/' }))
    expect(folders.CommonPrefixes).toEqual([{ Prefix: 'l/sub/' }])
  })

  it('puts large objects together from parts', async () => {
    const at = { Bucket: 'open', Key: 'large' }
    const { UploadId } = await s3().send(new CreateMultipartUploadCommand(at))
    const parts = await Promise.all(
      ['aa', 'bb'].map(async (Body, index) => {
        const PartNumber = index + 1
        const { ETag } = await s3().send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }))
        return { ETag, PartNumber }
      }),
    )
    await s3().send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: parts } }))
    const got = await s3().send(new GetObjectCommand(at))
    expect(await got.Body?.transformToString()).toBe('aabb')
    expect(got.ETag).toMatch(/-2"$/)
  })

  it('forgets what is deleted, and says what does not exist', async () => {
    await s3().send(new PutObjectCommand({ Bucket: 'open', Key: 'd1', Body: 'x' }))
    await s3().send(new DeleteObjectCommand({ Bucket: 'open', Key: 'd1' }))
    await s3().send(new DeleteObjectsCommand({ Bucket: 'open', Delete: { Objects: [{ Key: 'd2' }] } }))
    await expect(s3().send(new GetObjectCommand({ Bucket: 'open', Key: 'd1' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    })
  })

  it('holds after a restart what it had acknowledged', () => {
    const reopened = openS3Store(join(directory, 's3'), ['open'])
    const object = reopened.get('open', 'stream')
    expect(object === undefined ? undefined : reopened.read('open', object).toString()).toBe('one two')
    expect(reopened.get('open', 'd1')).toBeUndefined()
  })
})

describe('Secrets Manager and SSM', () => {
  it('give the generated secret, the same after a restart, and the parameter', async () => {
    const { SecretString } = await new SecretsManagerClient(as(root)).send(
      new GetSecretValueCommand({ SecretId: 'key' }),
    )
    expect(SecretString).toMatch(/^[ab]{40}$/)
    const [secret] = model('').secrets
    expect(secret === undefined ? '' : openSecretStore(join(directory, 'secrets.json')).read(secret)).toBe(SecretString)
    const { Parameter } = await new SSMClient(as(root)).send(new GetParameterCommand({ Name: '/version' }))
    expect(Parameter).toMatchObject({ Name: '/version', Value: '7' })
  })

  it('say what does not exist', async () => {
    await expect(
      new SecretsManagerClient(as(root)).send(new GetSecretValueCommand({ SecretId: 'no' })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
    await expect(new SSMClient(as(root)).send(new GetParameterCommand({ Name: '/no' }))).rejects.toMatchObject({
      name: 'ParameterNotFound',
    })
  })
})

describe('faults on demand', () => {
  const put = (credentials: Credentials, key: string) =>
    new S3Client({ ...as(credentials), forcePathStyle: true }).send(
      new PutObjectCommand({ Bucket: 'open', Key: key, Body: 'x' }),
    )
  const isStored = (key: string) =>
    new S3Client({ ...as(root), forcePathStyle: true }).send(new HeadObjectCommand({ Bucket: 'open', Key: key })).then(
      () => true,
      () => false,
    )

  it('a refused call never reaches the service; other callers, other services and later calls do', async () => {
    const fault = faults.inject({ service: 's3', caller: 'function worker', how: { kind: 'refuse', status: 503 } })
    await expect(put(worker, 'refused')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } })
    expect(await isStored('refused')).toBe(false)
    await put(root, 'another-caller')
    const send = new SendMessageCommand({ QueueUrl: `${listener.url}/${account}/jobs`, MessageBody: 'x' })
    await new SQSClient(as(worker)).send(send)
    expect(fault.met).toBe(1)
    fault.end()
    await put(worker, 'refused')
    expect(await isStored('refused')).toBe(true)
    expect(fault.met).toBe(1)
  })

  it('a lost answer is to a call that was performed', async () => {
    const fault = faults.inject({ service: 's3', caller: 'function worker', how: { kind: 'lose_answer' } })
    await expect(put(worker, 'unanswered')).rejects.toThrow()
    fault.end()
    expect(fault.met).toBe(1)
    expect(await isStored('unanswered')).toBe(true)
  })

  it('a delayed call is performed late', async () => {
    const fault = faults.inject({ service: 's3', how: { kind: 'delay', delayMs: 200 } })
    const startedAt = performance.now()
    await put(worker, 'late')
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199)
    fault.end()
    expect(fault.met).toBe(1)
  })

  it('a share of the calls meets it, by chance; the next fault may meet the others', () => {
    const chances = [0.1, 0.5, 0.3, 0.2]
    const some = createServiceFaults(() => chances.shift() ?? 1)
    const first = some.inject({ service: 's3', share: 0.3, how: { kind: 'lose_answer' } })
    const second = some.inject({ service: 's3', share: 0.4, how: { kind: 'delay', delayMs: 1 } })
    expect(some.meet('dynamodb', undefined)).toBeUndefined()
    expect(some.meet('s3', undefined)).toEqual({ kind: 'lose_answer' })
    expect(some.meet('s3', undefined)).toEqual({ kind: 'delay', delayMs: 1 })
    expect(some.meet('s3', undefined)).toEqual({ kind: 'lose_answer' })
    expect([first.met, second.met]).toEqual([2, 1])
  })
})

it('an observer is told of what a service answered, by whom and on what it was asked; not of what was refused', async () => {
  const ask = new GetQueueUrlCommand({ QueueName: 'jobs' })
  observed.length = 0
  await new SQSClient(as(root)).send(ask)
  await expect(new SQSClient(as(nobody)).send(ask)).rejects.toThrow()
  expect(observed).toMatchObject([
    {
      kind: 'request',
      call: { operation: 'GetQueueUrl', principal: { kind: 'root' } },
      demands: [{ action: 'sqs:GetQueueUrl', resource: arn('sqs', 'jobs') }],
      answer: { status: 200 },
    },
  ])
})
