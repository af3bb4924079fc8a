import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { replacement } from '../../../local/engine/containers/backoff.ts'
import type { Image } from '../../../local/engine/containers/image.ts'
import { type ContainerService, startService } from '../../../local/engine/containers/service.ts'
import type { ServiceEvent } from '../../../local/engine/events/start-events.ts'
import type { ContainerSpec } from '../../../local/engine/template/specs.ts'
import { recordingLog } from './recording-log.ts'

const below = join(import.meta.dirname, '../../../.holdfast')
let root = ''
let service: ContainerService | undefined

beforeEach(() => {
  mkdirSync(below, { recursive: true })
  root = mkdtempSync(join(below, 'container-'))
  mkdirSync(join(root, 'app'))
})
afterEach(async () => {
  await service?.stop()
  rmSync(root, { recursive: true, force: true })
})

function run(code: string, container: Partial<ContainerSpec> = {}, desiredCount = 1) {
  writeFileSync(join(root, 'app/main.mjs'), code)
  const log = recordingLog()
  const events: ServiceEvent[] = []
  const waiting = new Set<() => void>()
  const image: Image = {
    root,
    workingDirectory: '/app',
    environment: { FROM_IMAGE: '1' },
    entryPoint: [],
    command: ['node', 'main.mjs'],
  }
  const spec: ContainerSpec = {
    name: 'worker',
    essential: true,
    imageTag: 't',
    environment: {},
    secrets: [],
    stopTimeoutMs: 5_000,
    ...container,
  }
  const started = startService({
    spec: {
      arn: 'arn:aws:ecs:us-east-1:000000000000:service/c/s',
      name: 's',
      title: 'S',
      clusterName: 'c',
      clusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/c',
      desiredCount,
      taskDefinition: {
        arn: 'arn:aws:ecs:us-east-1:000000000000:task-definition/t:1',
        family: 't',
        revision: 1,
        containers: [spec],
      },
    },
    desiredCount,
    images: new Map([['t', image]]),
    environmentOf: () => ({ FROM_TEMPLATE: '2' }),
    emit(event) {
      events.push(event)
      for (const check of waiting) check()
    },
    log,
  })
  service = started
  const event = (matches: (detail: ServiceEvent['detail']) => boolean): Promise<ServiceEvent['detail']> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = events.find(({ detail }) => matches(detail))
        if (found === undefined) return
        waiting.delete(check)
        resolve(found.detail)
      }
      waiting.add(check)
      check()
    })
  return { service: started, log, events, event }
}

const STAYS =
  'setInterval(() => {}, 1000); console.log("up " + process.env.FROM_IMAGE + process.env.FROM_TEMPLATE + (process.env.HOME ?? "-"));'

describe('a task', () => {
  it("runs from its image with the image's and the template's environment, and tells that it runs", async () => {
    const { log, event } = run(STAYS)
    await log.seen(/^up 12-$/)
    expect(await event(({ lastStatus }) => lastStatus === 'RUNNING')).toMatchObject({
      group: 'service:s',
      clusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/c',
      startedBy: expect.stringMatching(/^ecs-svc\//),
      containers: [{ name: 'worker', lastStatus: 'RUNNING' }],
    })
  })

  it('that is killed is told with its exit code, and replaced under a new id', async () => {
    const { service: running, log, event } = run(STAYS)
    await log.seen(/^up/)
    const [task] = running.tasks()
    task?.signal('SIGKILL')
    const stopped = await event(({ lastStatus }) => lastStatus === 'STOPPED')
    expect(stopped).toMatchObject({
      taskArn: task?.state().taskArn,
      stopCode: 'EssentialContainerExited',
      containers: [{ name: 'worker', exitCode: 137, lastStatus: 'STOPPED' }],
    })
    await event(({ lastStatus, taskArn }) => lastStatus === 'RUNNING' && taskArn !== stopped['taskArn'])
  })

  it('that is lost with its host is told without an exit code, and replaced', async () => {
    const { service: running, log, event } = run(STAYS)
    await log.seen(/^up/)
    const [task] = running.tasks()
    task?.lose()
    const stopped = await event(({ lastStatus }) => lastStatus === 'STOPPED')
    expect(stopped['taskArn']).toBe(task?.state().taskArn)
    expect(stopped['containers']).toEqual([expect.objectContaining({ name: 'worker', lastStatus: 'STOPPED' })])
    expect(JSON.stringify(stopped)).not.toContain('exitCode')
    await event(({ lastStatus, taskArn }) => lastStatus === 'RUNNING' && taskArn !== stopped['taskArn'])
  })

  it('is asked to stop with SIGTERM, and may finish', async () => {
    const {
      service: running,
      log,
      event,
    } = run(`process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); ${STAYS}`)
    await log.seen(/^up/)
    await running.stop()
    await log.seen(/^bye$/)
    expect(await event(({ lastStatus }) => lastStatus === 'STOPPED')).toMatchObject({ containers: [{ exitCode: 0 }] })
  })

  it('that does not stop within its stop timeout is killed', async () => {
    const {
      service: running,
      log,
      event,
    } = run(`process.on('SIGTERM', () => console.log('no')); ${STAYS}`, { stopTimeoutMs: 200 })
    await log.seen(/^up/)
    await running.stop()
    await log.seen(/stop timeout of 0\.2 s/)
    expect(await event(({ lastStatus }) => lastStatus === 'STOPPED')).toMatchObject({ containers: [{ exitCode: 137 }] })
  })

  it('cannot import what its image lacks, in its worker threads either', async () => {
    writeFileSync(
      join(root, 'app/thread.mjs'),
      "import('zod').then(() => console.log('found'), (e) => console.log('thread: ' + e.message))",
    )
    const { log } = run(
      "import { Worker } from 'node:worker_threads'; new Worker(new URL('./thread.mjs', import.meta.url)); await import('ws').catch((e) => console.log('main: ' + e.message)); setInterval(() => {}, 1000)",
    )
    await log.seen(/main: Cannot find package 'ws'/)
    await log.seen(/thread: .*zod/)
  })

  it('whose health check fails is replaced', async () => {
    const healthCheck = {
      command: ['CMD-SHELL', 'exit 1'],
      intervalMs: 50,
      timeoutMs: 5_000,
      retries: 2,
      startPeriodMs: 0,
    }
    const { event } = run(STAYS, { healthCheck })
    expect(await event(({ lastStatus }) => lastStatus === 'STOPPED')).toMatchObject({
      stoppedReason: 'Task failed container health checks',
    })
  })
})

describe('a service', () => {
  it('rolls a deployment over: the new task runs before the old one is stopped', async () => {
    const { service: running, log, events } = run(STAYS)
    await log.seen(/^up/)
    const [old] = running.tasks()
    const { revision } = await running.deploy()
    const order = events.map(
      ({ detail }) => `${detail['lastStatus']} ${detail['taskArn'] === old?.state().taskArn ? 'old' : 'new'}`,
    )
    expect(order).toEqual(['RUNNING old', 'RUNNING new', 'STOPPED old'])
    expect(revision).toBe(2)
    expect(running.tasks().map((task) => task.state().revision)).toEqual([2])
  })

  it('is scaled up and down', async () => {
    const { service: running } = run(STAYS)
    await running.started()
    await running.scale(3)
    expect(running.tasks().map(({ part }) => part)).toEqual(['worker 1', 'worker 2', 'worker 3'])
    await running.scale(1)
    expect(running.tasks().map(({ part }) => part)).toEqual(['worker 1'])
  })

  it('whose tasks keep ending says so, with their exit code, instead of waiting for ever', async () => {
    const { service: running } = run('process.exit(7)', {
      healthCheck: {
        command: ['CMD-SHELL', 'exit 0'],
        intervalMs: 5_000,
        timeoutMs: 5_000,
        retries: 3,
        startPeriodMs: 0,
      },
    })
    await expect(running.started()).rejects.toThrow(/keep ending .*worker 7.*Essential container in task exited/)
  })

  it('waits longer and longer before it replaces a task that keeps failing, and not at all for one that had lived', () => {
    let failures = { count: 0 }
    const delays = Array.from({ length: 9 }, () => {
      const next = replacement(failures, 50)
      failures = next.failures
      return next.delayMs
    })
    expect(delays).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(replacement(failures, 60_000)).toEqual({ failures: { count: 0 }, delayMs: 0 })
  })
})
