import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../../connector/config.ts'
import { healthAddress } from '../../../connector/health-address.ts'
import { captureConsole, createLog } from '../../../connector/log.ts'
import { processRandom } from '../../../connector/process-clock.ts'
import { onBehalfOf, UncaughtPolicy } from '../../../connector/worker/attribution.ts'
import { Health, type HealthReport } from '../../../connector/worker/health.ts'
import { taskIdentity } from '../../../connector/worker/task-identity.ts'
import { quietLog } from '../fleet/scenario.ts'
import { VirtualClock } from '../virtual-clock.ts'

const environment = {
  AWS_REGION: 'eu-west-1',
  STAGE: 'test',
  CONNECTIONS_TABLE: 'connections',
  MESSAGES_TABLE: 'messages',
  FLEET_TABLE: 'fleet',
  AUTH_TABLE: 'auth',
  AUTH_BUCKET: 'bucket',
  MEDIA_TABLE: 'media',
  MEDIA_BUCKET: 'media',
  MAX_CONNECTIONS: '500',
  MESSAGE_RETENTION_DAYS: '90',
  MEDIA_RETENTION_DAYS: '30',
  PARTITION_COUNT: '16',
  PARTITION_QUEUE_PREFIX: 'https://sqs.eu-west-1.amazonaws.com/123456789012/holdfast-',
  DOORBELL_DLQ_URL: 'https://sqs.eu-west-1.amazonaws.com/123456789012/dead.fifo',
}

describe('the environment', () => {
  test('what is not set has its default', () => {
    expect(readConfig(environment)).toMatchObject({
      LOGIN_CONCURRENCY: 40,
      LEASE_MS: 12_000,
      RENEW_MS: 3_000,
      BACKOFF_JITTER: 0.2,
    })
  })

  test('what the platform sets beside it is let pass, and empty means absent', () => {
    const config = readConfig({ ...environment, PATH: '/bin', HOSTNAME: 'x', WHATSAPP_URL: '', DEPLOYMENT: '' })
    expect(config.WHATSAPP_URL).toBeUndefined()
    expect(config.DEPLOYMENT).toBeUndefined()
  })

  const wrong: [string, Record<string, string | undefined>, string][] = [
    ['a missing table', { AUTH_TABLE: undefined }, 'AUTH_TABLE'],
    ['no number', { MAX_CONNECTIONS: 'many' }, 'MAX_CONNECTIONS'],
    ['a misspelt setting', { LEASE_MARGN_MS: '1' }, 'LEASE_MARGN_MS is not a setting'],
    ['a renewal too seldom', { RENEW_MS: '5000' }, 'RENEW_MS must be at most a third of LEASE_MS'],
    ['a margin too large', { LEASE_MARGIN_MS: '6000' }, 'LEASE_MARGIN_MS must be less than half of LEASE_MS'],
    [
      'a drain longer than the platform waits',
      { DRAIN_MS: '70000' },
      'DRAIN_MS must be at most half of STOP_TIMEOUT_MS',
    ],
    ['a root key without a server', { WHATSAPP_ROOT_KEY: 'ab'.repeat(32) }, 'WHATSAPP_ROOT_KEY needs WHATSAPP_URL'],
    [
      'a root key that is none',
      { WHATSAPP_URL: 'ws://x', WHATSAPP_ROOT_KEY: 'abc' },
      'WHATSAPP_ROOT_KEY: expected 64 hex digits',
    ],
    ['polling without a pause', { DOORBELL_WAIT_SECONDS: '0' }, 'DOORBELL_WAIT_SECONDS'],
  ]
  test.each(wrong)('%s is refused by name', (_, change, problem) => {
    expect(() => readConfig({ ...environment, ...change })).toThrow(problem)
  })

  test('all problems are named at once', () => {
    expect(() => readConfig({ ...environment, AUTH_TABLE: '', MAX_CONNECTIONS: '0' })).toThrow(
      /AUTH_TABLE.*MAX_CONNECTIONS|MAX_CONNECTIONS.*AUTH_TABLE/,
    )
  })
})

describe('the log', () => {
  function logged(level: 'debug' | 'info' = 'debug') {
    const lines: string[] = []
    return { lines, log: createLog(level, {}, { write: (line: string) => lines.push(line) }) }
  }

  test('errors are logged by name, message, stack and cause, never with what they carry', () => {
    const { lines, log } = logged()
    const error = Object.assign(new Error('it failed', { cause: new Error('because') }), { item: { body: 'secret' } })
    log.error({ err: error }, 'x')
    log.warn({ error }, 'y')
    for (const line of lines) {
      expect(line).toContain('it failed')
      expect(line).toContain('because')
      expect(line).not.toContain('secret')
    }
  })

  test('what libraries print: no objects, nothing of libsignal’s, the rest at debug level', () => {
    const { lines, log } = logged()
    const target = { ...console }
    captureConsole(log, target)
    target.info('Closing session:', { privKey: 'secret' })
    target.error('Session error:Error: Bad MAC', 'stack')
    target.log({ rootKey: 'secret' })
    target.warn('a warning', { rootKey: 'secret' }, 7)
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'debug', by: 'console', message: 'a warning 7' })
  })
})

describe('what nobody caught', () => {
  function policy() {
    const ended: unknown[] = []
    let now = 0
    const made = new UncaughtPolicy(
      () => now,
      (error) => ended.push(error),
    )
    return { ended, policy: made, pass: (ms: number) => (now += ms) }
  }

  test('ends the session on whose behalf it ran', () => {
    const { ended, policy: uncaught } = policy()
    const ends: unknown[] = []
    onBehalfOf({ name: 'a', end: (error) => ends.push(error) }, () => uncaught.uncaught('a bug'))
    expect(ends).toEqual(['a bug'])
    expect(ended).toEqual([])
  })

  test('ends the process when it belongs to nobody', () => {
    const { ended, policy: uncaught } = policy()
    uncaught.uncaught('a bug')
    expect(ended).toEqual(['a bug'])
  })

  test('ends the process when sessions fail one after the other', () => {
    const { ended, policy: uncaught, pass } = policy()
    const fail = () => onBehalfOf({ name: 'a', end: () => {} }, () => uncaught.uncaught('a bug'))
    for (let fault = 0; fault < 20; fault++) fail()
    pass(60_000)
    fail()
    expect(ended).toEqual([])
    for (let fault = 0; fault < 20; fault++) fail()
    expect(ended).toEqual(['a bug'])
  })

  test('is traced through timers, sockets and forgotten promises', async () => {
    const script = `
      import { onBehalfOf, UncaughtPolicy } from './connector/worker/attribution.ts'
      import { connect } from 'node:net'
      const policy = new UncaughtPolicy(() => 0, () => { console.log('nobody'); })
      process.on('uncaughtException', (error) => policy.uncaught(error))
      process.on('unhandledRejection', (reason) => policy.uncaught(reason))
      const run = (name, work) => onBehalfOf({ name, end: () => console.log(name) }, work)
      run('timer', () => setTimeout(() => { throw new Error() }, 1))
      run('promise', () => { Promise.resolve().then(() => { throw new Error() }) })
      run('socket', () => connect(1, '127.0.0.1').on('error', () => { throw new Error() }))
      setTimeout(() => { throw new Error() }, 50)
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.on('data', (data) => {
      printed += String(data)
    })
    await once(child, 'close')
    expect(printed.trim().split('\n').toSorted()).toEqual(['nobody', 'promise', 'socket', 'timer'])
  })
})

describe('who the task is', () => {
  test('on ECS: by its ARN, a nonce of this boot, and the revision in an order of text', async () => {
    const server = createServer((request, response) => {
      response.end(request.url === '/v4/x/task' ? '{"TaskARN":"arn:aws:ecs:r:1:task/c/abc","Revision":"12"}' : '')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const uri = `http://127.0.0.1:${port}/v4/x`
    const first = await taskIdentity(uri, undefined, processRandom, quietLog)
    const second = await taskIdentity(uri, undefined, processRandom, quietLog)
    server.close()
    expect(first).toMatchObject({ taskArn: 'arn:aws:ecs:r:1:task/c/abc', deployment: '0000000012' })
    expect(first.workerId).toMatch(/^abc-[0-9a-f]{8}$/)
    expect(second.workerId).not.toBe(first.workerId)
  })

  test('without a platform, or one that does not answer: by a name of its own', async () => {
    const alone = await taskIdentity(undefined, '7', processRandom, quietLog)
    expect(alone).toMatchObject({ taskArn: expect.stringMatching(/^local:/), deployment: '7' })
    const silent = await taskIdentity('http://127.0.0.1:1', undefined, processRandom, quietLog)
    expect(silent.taskArn).toMatch(/^local:/)
  })
})

describe('health', () => {
  let health: Health | undefined
  afterEach(() => health?.close())

  const seen: Omit<HealthReport, 'healthy'> = {
    leaseHeld: true,
    fleetSeenAgoMs: 500,
    doorbellsHeardAgoMs: 900,
    partitions: 3,
    connections: 7,
    restoring: { done: 0, total: 0 },
  }

  test('a worker without a lease is healthy for five minutes: a restart brings no store back', () => {
    const clock = new VirtualClock()
    let leaseHeld = true
    const watched = new Health(clock, () => ({ ...seen, leaseHeld }))
    expect(watched.report()).toEqual({ healthy: true, ...seen })
    leaseHeld = false
    return clock
      .passTime(299_000)
      .then(() => expect(watched.report().healthy).toBe(true))
      .then(() => clock.passTime(1_000))
      .then(() => {
        expect(watched.report().healthy).toBe(false)
        leaseHeld = true
        expect(watched.report().healthy).toBe(true)
      })
  })

  test('the check beside it finds it by the same environment, and nobody else’s', async () => {
    const env = { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1/${processRandom.id()}` }
    const check = async (environment: Record<string, string>) => {
      const child = spawn(process.execPath, ['connector/health-check.ts'], { env: environment, stdio: 'ignore' })
      return ((await once(child, 'exit')) as [number])[0]
    }
    health = new Health(new VirtualClock(), () => seen)
    expect(await check(env)).toBe(1)
    await health.listen(healthAddress(env))
    expect(await check(env)).toBe(0)
    expect(await check({ ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1/another' })).toBe(1)
  })
})
