import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Local, LocalOptions } from '../../../local/engine/options.ts'
import { startLocal } from '../../../local/engine/start.ts'
import { isObject } from '../../../local/engine/template/json.ts'

const root = join(import.meta.dirname, '../../..')
let directory = ''
let assemblyDir = ''
const running: Local[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-sample-'))
  assemblyDir = join(directory, 'cdk.out')
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${join(root, 'node_modules/.bin')}:${process.env['PATH']}`,
  }
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'app/app.ts'), assemblyDir], {
    cwd: root,
    env,
  })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((local) => local.stop()))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function start(options: Partial<LocalOptions> = {}): Promise<Local> {
  const local = await startLocal({
    root,
    stateDir: join(directory, 'state'),
    cacheDir: join(directory, 'cache'),
    assemblyDir,
    port: 0,
    workers: 1,
    whatsapp: { kind: 'live' },
    iam: true,
    fresh: false,
    ...options,
  })
  running.push(local)
  return local
}

async function stop(local: Local): Promise<void> {
  running.splice(running.indexOf(local), 1)
  await local.stop()
}

const call = (local: Local, method: string, path: string, key = local.adminApiKey) =>
  fetch(local.httpUrl + path, { method, headers: { 'x-api-key': key } })
const client = (local: Local) => ({
  region: local.region,
  endpoint: local.endpoint,
  credentials: local.rootCredentials,
})
const received = async (local: Local, queueUrl: string): Promise<string | undefined> => {
  const answer = await new SQSClient(client(local)).send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 10 }),
  )
  return answer.Messages?.[0]?.Body
}

/** Leaves out the resources that match; the templates are JSON and nothing else. */
const without =
  (
    matches: (logicalId: string, resource: Readonly<Record<string, unknown>>) => boolean,
  ): NonNullable<LocalOptions['template']> =>
  (stacks) =>
    stacks.map(({ template, ...stack }) => {
      const resources = isObject(template['Resources']) ? template['Resources'] : {}
      const kept = Object.entries(resources).filter(([id, resource]) => !(isObject(resource) && matches(id, resource)))
      return { ...stack, template: { ...template, Resources: Object.fromEntries(kept) } }
    })

describe('a synthesized app', () => {
  it('runs from the REST API to the database, its stream and a queue, under its own roles', async () => {
    const local = await start({ fresh: true })
    expect((await call(local, 'PUT', '/items/one')).status).toBe(201)
    expect((await call(local, 'GET', '/items/one')).status).toBe(200)
    expect((await call(local, 'GET', '/items/one', 'wrong')).status).toBe(403)
    expect(await received(local, local.sendsFifoQueueUrl)).toContain('"one"')
    const refused = local.calls().counts.filter((count) => count.refused > 0)
    expect(refused).toEqual([])
    const roles = new Set(
      local
        .calls()
        .counts.map(({ role, action }) => `${role.replace(/^Sample-Control-(\w+?)ServiceRole.*/, '$1')} ${action}`),
    )
    expect(roles).toContain('Api dynamodb:PutItem')
    expect(roles).toContain('Changes dynamodb:GetRecords')
    expect(roles).toContain('Authorizer secretsmanager:GetSecretValue')
  })

  it('keeps items and secrets for the next start, and forgets them when it starts afresh', async () => {
    const first = await start({ fresh: true })
    await call(first, 'PUT', '/items/kept')
    const key = first.adminApiKey
    await stop(first)
    const second = await start()
    expect(second.adminApiKey).toBe(key)
    expect((await call(second, 'GET', '/items/kept')).status).toBe(200)
    await stop(second)
    const third = await start({ fresh: true })
    expect(third.adminApiKey).not.toBe(key)
    expect((await call(third, 'GET', '/items/kept')).status).toBe(404)
  })

  it('feeds a queue to its function', async () => {
    const local = await start({ fresh: true })
    await new SQSClient(client(local)).send(
      new SendMessageCommand({ QueueUrl: local.sendsQueueUrl, MessageBody: 'job-1' }),
    )
    const [table = ''] = Object.entries(local.outputs).flatMap(([name, value]) =>
      /RefItems/.test(name) ? [value] : [],
    )
    const seen = async () => {
      const read = new GetItemCommand({
        TableName: table,
        Key: { pk: { S: 'job-1' }, sk: { S: 'job' } },
        ConsistentRead: true,
      })
      return (await new DynamoDBClient(client(local)).send(read)).Item?.['seen']?.N
    }
    await expect.poll(seen, { timeout: 10_000 }).toBe('1')
  })

  it('runs beside another on its own state folder, and refuses to share one', async () => {
    const one = await start({ stateDir: join(directory, 'one') })
    const two = await start({ stateDir: join(directory, 'two') })
    await call(one, 'PUT', '/items/mine')
    expect((await call(two, 'GET', '/items/mine')).status).toBe(404)
    await expect(start({ stateDir: join(directory, 'one') })).rejects.toThrow(new RegExp(`process id ${process.pid}`))
    expect((await call(one, 'GET', '/items/mine')).status).toBe(200)
  })

  it('tells EventBridge of a worker that was killed, and starts another', async () => {
    const local = await start({ fresh: true })
    const tasks = async () =>
      ((await (await fetch(`${local.controlUrl}/tasks`)).json()) as { tasks: { taskId: string; lastStatus: string }[] })
        .tasks
    const [task] = await tasks()
    const kill = await fetch(`${local.controlUrl}/tasks/${task?.taskId}/kill`, {
      method: 'POST',
      body: '{"signal":"SIGKILL"}',
    })
    expect(kill.status).toBe(202)
    const queue = `${local.endpoint}/000000000000/Sample-Control-StoppedTasksF4CED0F3`
    const told = JSON.parse((await received(local, queue)) ?? '{}')
    expect(told).toMatchObject({
      source: 'aws.ecs',
      detail: { lastStatus: 'STOPPED', containers: [{ name: 'worker', exitCode: 137 }] },
    })
    await expect
      .poll(
        async () =>
          (await tasks()).filter(({ taskId, lastStatus }) => taskId !== task?.taskId && lastStatus === 'RUNNING')
            .length,
      )
      .toBe(1)
  })
})

describe('a wire that is missing in the template is missing here', () => {
  it('a Lambda permission', async () => {
    const local = await start({
      fresh: true,
      template: without((id) => /^HttpApi(GET|PUT).*IntegrationPermission/.test(id)),
    })
    expect((await call(local, 'PUT', '/items/x')).status).toBe(500)
    expect(
      local
        .logs('lambda permission')
        .map(({ message }) => message)
        .join(),
    ).toContain('AWS::Lambda::Permission')
  })

  it('a grant', async () => {
    const local = await start({ fresh: true, template: without((id) => id.startsWith('ApiServiceRoleDefaultPolicy')) })
    expect((await call(local, 'PUT', '/items/x')).status).toBe(500)
    expect(local.calls().counts).toContainEqual(expect.objectContaining({ action: 'dynamodb:PutItem', refused: 1 }))
  })

  it('a grant, unless nobody is asked', async () => {
    const local = await start({
      fresh: true,
      iam: false,
      template: without((id) => id.startsWith('ApiServiceRoleDefaultPolicy')),
    })
    expect((await call(local, 'PUT', '/items/x')).status).toBe(201)
  })

  it('a route', async () => {
    const local = await start({
      fresh: true,
      template: without((_, { Properties }) => isObject(Properties) && Properties['RouteKey'] === 'GET /items/{id}'),
    })
    expect((await call(local, 'GET', '/items/x')).status).toBe(404)
  })
})

describe('what cannot be run is refused before anything is left running', () => {
  const changed =
    (change: (resources: Record<string, unknown>) => void): NonNullable<LocalOptions['template']> =>
    (stacks) => {
      for (const { template } of stacks) change(template['Resources'] as Record<string, unknown>)
      return stacks
    }

  it('an unknown resource type, by its name', async () => {
    const template = changed((resources) =>
      Object.assign(resources, { Odd: { Type: 'AWS::Kinesis::Stream', Properties: {} } }),
    )
    await expect(start({ template })).rejects.toThrow(/Sample-\w+\/Odd: .*AWS::Kinesis::Stream/)
    expect(existsSync(join(directory, 'state/lock'))).toBe(false)
  })

  it('an unknown property, by its name', async () => {
    const template = changed((resources) =>
      Object.assign(resources, { Odd: { Type: 'AWS::SQS::Queue', Properties: { Colour: 'red' } } }),
    )
    await expect(start({ template })).rejects.toThrow(/Odd .*Colour/)
  })

  it('a table of the last run with other keys', async () => {
    await stop(await start({ fresh: true }))
    const template = changed((resources) => {
      const table = resources['Items5C12978B']
      if (isObject(table) && isObject(table['Properties']))
        Object.assign(table['Properties'], { StreamSpecification: { StreamViewType: 'KEYS_ONLY' } })
    })
    await expect(start({ template })).rejects.toThrow(/stream settings.*--fresh/)
  })
})
