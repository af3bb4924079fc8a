/** A task as ECS tells of it: its item, its events, its metadata endpoint. All pure. */
import type { ServiceEvent } from '../events/start-events.ts'
import type { ServiceSpec } from '../template/specs.ts'

export type TaskStatus = 'PENDING' | 'RUNNING' | 'STOPPING' | 'STOPPED'

export interface TaskState {
  readonly taskId: string
  readonly taskArn: string
  readonly deploymentId: string
  readonly revision: number
  readonly lastStatus: TaskStatus
  readonly desiredStatus: 'RUNNING' | 'STOPPED'
  readonly health: 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY'
  /** ISO 8601. */
  readonly createdAt: string
  readonly startedAt?: string
  readonly stoppedAt?: string
  readonly stopCode?:
    | 'EssentialContainerExited'
    | 'ServiceSchedulerInitiated'
    | 'TaskFailedToStart'
    | 'TerminationNotice'
    | 'UserInitiated'
  readonly stoppedReason?: string
  readonly containers: readonly ContainerState[]
  /** Rises with each event of the task. */
  readonly version: number
}

export interface ContainerState {
  readonly name: string
  readonly lastStatus: TaskStatus
  readonly exitCode?: number
  readonly reason?: string
}

/** Source: Amazon ECS task state change events. */
export function stateChangeEvent(service: ServiceSpec, task: TaskState): ServiceEvent {
  const now = task.stoppedAt ?? task.startedAt ?? task.createdAt
  return {
    source: 'aws.ecs',
    detailType: 'ECS Task State Change',
    resources: [task.taskArn],
    detail: {
      taskArn: task.taskArn,
      clusterArn: service.clusterArn,
      taskDefinitionArn: definitionArn(service, task),
      group: `service:${service.name}`,
      startedBy: `ecs-svc/${task.deploymentId}`,
      launchType: 'FARGATE',
      lastStatus: task.lastStatus,
      desiredStatus: task.desiredStatus,
      createdAt: task.createdAt,
      updatedAt: now,
      version: task.version,
      ...(task.startedAt === undefined ? {} : { startedAt: task.startedAt }),
      ...(task.stoppedAt === undefined ? {} : { stoppedAt: task.stoppedAt, stoppingAt: task.stoppedAt }),
      ...(task.stopCode === undefined ? {} : { stopCode: task.stopCode }),
      ...(task.stoppedReason === undefined ? {} : { stoppedReason: task.stoppedReason }),
      containers: task.containers.map((container) => ({
        containerArn: `${task.taskArn.replace(':task/', ':container/')}/${container.name}`,
        taskArn: task.taskArn,
        ...container,
      })),
    },
  }
}

/** Source: task metadata endpoint version 4, path `/task`. */
export function taskMetadata(service: ServiceSpec, task: TaskState): Readonly<Record<string, unknown>> {
  return {
    Cluster: service.clusterArn,
    ServiceName: service.name,
    TaskARN: task.taskArn,
    Family: service.taskDefinition.family,
    Revision: String(task.revision),
    DesiredStatus: task.desiredStatus,
    KnownStatus: task.lastStatus,
    LaunchType: 'FARGATE',
    AvailabilityZone: 'locala',
    Containers: task.containers.map(({ name, lastStatus }) => ({
      Name: name,
      DockerName: name,
      KnownStatus: lastStatus,
      Type: 'NORMAL',
    })),
  }
}

/** Each deployment is a revision of its own, as a deploy on AWS makes one. */
export function definitionArn(service: ServiceSpec, task: Pick<TaskState, 'revision'>): string {
  return service.taskDefinition.arn.replace(/:\d+$/, `:${task.revision}`)
}
