/**
 * One task: its containers as child processes, from the task definition's commands and environments to their exit codes. An
 * essential container that ends takes the task with it; SIGTERM first, SIGKILL when the stop timeout is over.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { EngineLog } from '../contracts.ts'
import type { ContainerSpec, ServiceSpec } from '../template/specs.ts'
import { watchHealth } from './health.ts'
import type { Image } from './image.ts'
import { type ContainerProcess, type Launch, startProcess } from './process.ts'
import type { ContainerState, TaskState } from './task-state.ts'

export type StopCause = Pick<TaskState, 'stopCode' | 'stoppedReason'>

export interface Task {
  readonly id: string
  /** What a person calls it: `worker 1`. */
  readonly part: string
  readonly slot: number
  state(): TaskState
  protected(): boolean
  protect(enabled: boolean): void
  /** Resolves when it runs, and is healthy where a health check says so; false when it ended before. */
  readonly started: Promise<boolean>
  readonly stopped: Promise<TaskState>
  stop(cause: StopCause): Promise<TaskState>
  /** To the first process of its essential container. */
  signal(signal: NodeJS.Signals): void
  /** As with its host: its processes are gone, and nobody knows how they ended. */
  lose(): void
}

export interface TaskOptions {
  readonly service: ServiceSpec
  readonly deploymentId: string
  readonly revision: number
  readonly slot: number
  readonly images: ReadonlyMap<string, Image>
  /** Everything beside the image's own: SDK settings, the template's environment, secrets, overrides. @throws what keeps it from starting */
  readonly environmentOf: (
    container: ContainerSpec,
    task: { readonly id: string; readonly part: string },
  ) => Readonly<Record<string, string>>
  readonly onChange: (state: TaskState) => void
  readonly log: EngineLog
}

export function startTask(options: TaskOptions): Task {
  const { service, log } = options
  const id = randomBytes(16).toString('hex')
  const [main] = service.taskDefinition.containers
  const part = `${main?.name ?? service.title} ${options.slot}`
  let state: TaskState = {
    taskId: id,
    taskArn: `${service.clusterArn.replace(':cluster/', ':task/')}/${id}`,
    deploymentId: options.deploymentId,
    revision: options.revision,
    lastStatus: 'PENDING',
    desiredStatus: 'RUNNING',
    health: 'UNKNOWN',
    createdAt: new Date().toISOString(),
    containers: service.taskDefinition.containers.map(({ name }) => ({ name, lastStatus: 'PENDING' })),
    version: 1,
  }
  let isProtected = false
  let lost = false
  let stopping: Promise<void> | undefined
  const processes = new Map<string, ContainerProcess>()
  const aborted = new AbortController()
  const started = Promise.withResolvers<boolean>()
  const stopped = Promise.withResolvers<TaskState>()

  const change = (next: Partial<TaskState>, tell: boolean): void => {
    state = { ...state, ...next, version: state.version + (tell ? 1 : 0) }
    if (tell) options.onChange(state)
  }
  const changeContainer = (name: string, next: Partial<ContainerState>): void =>
    change({ containers: state.containers.map((each) => (each.name === name ? { ...each, ...next } : each)) }, false)

  const finish = (): void => {
    aborted.abort()
    started.resolve(false)
    change({ lastStatus: 'STOPPED', desiredStatus: 'STOPPED', stoppedAt: new Date().toISOString() }, true)
    stopped.resolve(state)
  }

  const stop = (cause: StopCause): Promise<TaskState> => {
    stopping ??= (async () => {
      change({ ...cause, desiredStatus: 'STOPPED', lastStatus: 'STOPPING' }, false)
      await Promise.all(
        service.taskDefinition.containers.map((container) =>
          stopContainer(container, processes.get(container.name), part, log),
        ),
      )
      finish()
    })()
    return stopped.promise
  }

  const launch = (container: ContainerSpec): void => {
    const image = options.images.get(container.imageTag)
    if (image === undefined) throw new Error(`CannotPullContainerError: there is no image ${container.imageTag}`)
    const what: Launch = {
      image,
      command: [
        ...(container.entryPoint ?? image.entryPoint),
        ...(container.command ?? (container.entryPoint === undefined ? image.command : [])),
      ],
      workingDirectory: container.workingDirectory ?? image.workingDirectory,
      environment: { ...image.environment, ...options.environmentOf(container, { id, part }) },
    }
    if (what.command.length === 0) throw new Error(`the container ${container.name} has no command`)
    const child = startProcess(what, part, log)
    processes.set(container.name, child)
    changeContainer(container.name, { lastStatus: 'RUNNING' })
    void child.exited.then((exitCode) => {
      processes.delete(container.name)
      changeContainer(container.name, { lastStatus: 'STOPPED', ...(lost ? {} : { exitCode }) })
      if (!container.essential || stopping !== undefined) return
      if (lost) {
        log.warn(part, 'was lost with its host')
        void stop({ stopCode: 'TerminationNotice', stoppedReason: 'The host of the task was lost' })
        return
      }
      log.warn(part, `its container ${container.name} ended with exit code ${exitCode}`)
      void stop({ stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' })
    })
    if (container.healthCheck !== undefined) {
      watchHealth(container.healthCheck, what, aborted.signal, (health) => {
        if (aborted.signal.aborted || stopping !== undefined) return
        change({ health }, false)
        if (health === 'HEALTHY') started.resolve(true)
        else {
          log.error(part, 'its health check failed')
          void stop({ stopCode: 'ServiceSchedulerInitiated', stoppedReason: 'Task failed container health checks' })
        }
      })
    }
  }

  // The caller has the task before its first event.
  queueMicrotask(() => {
    try {
      for (const container of service.taskDefinition.containers) launch(container)
      change({ lastStatus: 'RUNNING', startedAt: new Date().toISOString() }, true)
      if (!service.taskDefinition.containers.some(({ healthCheck }) => healthCheck !== undefined)) started.resolve(true)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.error(part, `could not start: ${reason}`)
      void stop({ stopCode: 'TaskFailedToStart', stoppedReason: reason })
    }
  })

  return {
    id,
    part,
    slot: options.slot,
    state: () => state,
    protected: () => isProtected,
    protect(enabled) {
      isProtected = enabled
    },
    started: started.promise,
    stopped: stopped.promise,
    stop,
    signal(signal) {
      const essential = service.taskDefinition.containers.find((container) => container.essential)
      if (essential !== undefined) processes.get(essential.name)?.signal(signal)
    },
    lose() {
      lost = true
      for (const child of processes.values()) child.signal('SIGKILL')
    },
  }
}

async function stopContainer(
  container: ContainerSpec,
  child: ContainerProcess | undefined,
  part: string,
  log: EngineLog,
): Promise<void> {
  if (child === undefined) return
  child.signal('SIGTERM')
  const patience = new AbortController()
  const timeout = delay(container.stopTimeoutMs, 'timeout' as const, { signal: patience.signal }).catch(
    () => 'ended' as const,
  )
  const first = await Promise.race([child.exited.then(() => 'ended' as const), timeout])
  patience.abort()
  if (first === 'ended') return
  log.warn(part, `did not end within its stop timeout of ${container.stopTimeoutMs / 1000} s: killed`)
  child.signal('SIGKILL')
  await child.exited
}
