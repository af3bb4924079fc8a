/**
 * The service scheduler: keeps the desired count of tasks running, replaces the ones that ended, rolls a deployment over, and
 * tells every start and stop to EventBridge.
 */
import { randomBytes } from 'node:crypto'
import type { EngineLog, Running } from '../contracts.ts'
import type { ServiceEvent } from '../events/start-events.ts'
import type { ServiceSpec } from '../template/specs.ts'
import { type Failures, replacement } from './backoff.ts'
import { startTask, type Task, type TaskOptions } from './task.ts'
import { stateChangeEvent, type TaskState } from './task-state.ts'

export interface ContainerService extends Running {
  readonly spec: ServiceSpec
  tasks(): readonly Task[]
  desiredCount(): number
  scale(count: number): Promise<void>
  /** New tasks first; when they run, the old ones are stopped. Resolves when the old ones have ended. */
  deploy(): Promise<{ readonly deploymentId: string; readonly revision: number }>
  /** Resolves when the desired count of tasks has started. @throws {Error} with the reason when they keep ending */
  started(): Promise<void>
}

export interface ServiceOptions extends Pick<TaskOptions, 'images' | 'environmentOf'> {
  readonly spec: ServiceSpec
  readonly desiredCount: number
  readonly emit: (event: ServiceEvent) => void
  readonly log: EngineLog
}

const BY_SCHEDULER = 'ServiceSchedulerInitiated' as const
const FAILED_STARTS_MAX = 4

export function startService(options: ServiceOptions): ContainerService {
  const { spec, log } = options
  const running = new Map<string, Task>()
  const ended: TaskState[] = []
  const waiting = new Set<NodeJS.Timeout>()
  let deployment = { deploymentId: newDeploymentId(), revision: spec.taskDefinition.revision }
  let desired = options.desiredCount
  let failures: Failures = { count: 0 }
  let stopped = false

  const current = (): readonly Task[] =>
    [...running.values()].filter(
      (task) => task.state().deploymentId === deployment.deploymentId && task.state().desiredStatus === 'RUNNING',
    )

  const begin = (): Task => {
    const slots = new Set([...running.values()].map(({ slot }) => slot))
    let slot = 1
    while (slots.has(slot)) slot += 1
    const task = startTask({
      service: spec,
      ...deployment,
      slot,
      images: options.images,
      environmentOf: options.environmentOf,
      log,
      onChange(state) {
        if (state.lastStatus === 'RUNNING' || state.lastStatus === 'STOPPED')
          options.emit(stateChangeEvent(spec, state))
      },
    })
    running.set(task.id, task)
    void task.stopped.then((state) => {
      running.delete(task.id)
      ended.push(state)
      if (ended.length > 50) ended.shift()
      if (stopped || (state.stopCode === BY_SCHEDULER && state.stoppedReason?.startsWith('Scaling') === true)) return
      const next = replacement(
        failures,
        Date.parse(state.stoppedAt ?? state.createdAt) -
          Date.parse(state.startedAt ?? state.stoppedAt ?? state.createdAt),
      )
      failures = next.failures
      if (next.delayMs > 0)
        log.warn(task.part, `is replaced in ${next.delayMs / 1000} s (ended early ${failures.count} times in a row)`)
      const timer = setTimeout(() => {
        waiting.delete(timer)
        fill()
      }, next.delayMs)
      waiting.add(timer)
    })
    return task
  }

  const fill = (): readonly Task[] => {
    const begun: Task[] = []
    while (!stopped && current().length < desired) begun.push(begin())
    return begun
  }

  fill()

  return {
    spec,
    tasks: () => [...running.values()],
    desiredCount: () => desired,
    async started() {
      for (;;) {
        const tasks = current().slice(0, desired)
        const all = await Promise.all(tasks.map((task) => task.started))
        if (stopped || (all.length >= desired && all.every((each) => each))) return
        // ECS's deployment circuit breaker: a task that keeps failing to start is no start.
        if (failures.count >= FAILED_STARTS_MAX) {
          const last = ended.at(-1)
          const codes = (last?.containers ?? [])
            .map(({ name, exitCode }) => `${name} ${exitCode ?? 'never ran'}`)
            .join(', ')
          throw new Error(
            `${spec.title}: its tasks keep ending (${failures.count} times in a row; exit codes: ${codes}): ${last?.stoppedReason ?? 'unknown reason'}. See GET /_local/logs or --verbose.`,
          )
        }
        // One ended before it had started: wait for its replacement.
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
    async scale(count) {
      desired = count
      const surplus = [...current()]
        .sort((left, right) => Number(left.protected()) - Number(right.protected()) || right.slot - left.slot)
        .slice(0, Math.max(0, current().length - desired))
      await Promise.all(
        surplus.map((task) =>
          task.stop({
            stopCode: BY_SCHEDULER,
            stoppedReason: `Scaling activity initiated by deployment ecs-svc/${deployment.deploymentId}`,
          }),
        ),
      )
      await Promise.all(fill().map((task) => task.started))
    },
    async deploy() {
      const old = [...running.values()]
      deployment = { deploymentId: newDeploymentId(), revision: deployment.revision + 1 }
      const before = deployment
      await Promise.all(fill().map((task) => task.started))
      await Promise.all(
        old.map((task) =>
          task.stop({
            stopCode: BY_SCHEDULER,
            stoppedReason: `Scaling activity initiated by deployment ecs-svc/${before.deploymentId}`,
          }),
        ),
      )
      return before
    },
    async stop() {
      stopped = true
      for (const timer of waiting) clearTimeout(timer)
      await Promise.all(
        [...running.values()].map((task) =>
          task.stop({ stopCode: BY_SCHEDULER, stoppedReason: 'Local mode is stopping' }),
        ),
      )
    },
  }
}

/** `ecs-svc/1234567890123456789` is how ECS names deployments. */
function newDeploymentId(): string {
  return BigInt(`0x${randomBytes(8).toString('hex')}`)
    .toString()
    .slice(0, 19)
}
