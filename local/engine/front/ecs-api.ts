/** What a task may ask ECS about itself and its siblings. */
import type { ServiceSpec } from '../template/specs.ts'
import { jsonAnswer } from './answers.ts'
import { type FrontService, type Protocol, ServiceError } from './call.ts'
import { parse } from './dynamodb.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.1', accessDenied: 'AccessDeniedException', deniedStatus: 400 }

export interface EcsTask {
  readonly taskArn: string
  readonly serviceName: string
  readonly clusterArn: string
  readonly taskDefinitionArn: string
  /** `ecs-svc/DEPLOYMENT` */
  readonly startedBy: string
  readonly lastStatus: string
  readonly desiredStatus: string
  /** ISO 8601. */
  readonly createdAt: string
  readonly protected: boolean
}

export interface EcsBackend {
  tasks(): readonly EcsTask[]
  protect(taskArn: string, enabled: boolean): void
  desiredCount(serviceName: string): number
}

const OPERATIONS = ['UpdateTaskProtection', 'GetTaskProtection', 'ListTasks', 'DescribeTasks', 'DescribeServices']

export function ecsService(
  services: readonly ServiceSpec[],
  backend: EcsBackend,
  region: string,
  account: string,
): FrontService {
  const clusterArn = (input: Readonly<Record<string, unknown>>): string => {
    const named = typeof input['cluster'] === 'string' ? input['cluster'] : 'default'
    const found = services.find((service) => service.clusterArn === named || service.clusterName === named)
    return found?.clusterArn ?? `arn:aws:ecs:${region}:${account}:cluster/${named}`
  }
  const named = (input: Readonly<Record<string, unknown>>, list: string): readonly string[] => {
    const values = input[list]
    return Array.isArray(values) ? values.map(String) : []
  }
  const tasksNamed = (input: Readonly<Record<string, unknown>>): readonly EcsTask[] =>
    backend
      .tasks()
      .filter(({ taskArn }) => named(input, 'tasks').some((id) => id === taskArn || taskArn.endsWith(`/${id}`)))

  return {
    protocol: PROTOCOL,
    demands(call) {
      if (!OPERATIONS.includes(call.operation))
        throw new ServiceError('UnknownOperationException', `Local mode does not know ecs:${call.operation}`)
      const input = parse(call)
      const cluster = clusterArn(input)
      const context = { 'ecs:cluster': [cluster] }
      const demand = (resource: string) => ({ action: `ecs:${call.operation}`, resource, context })
      if (call.operation === 'ListTasks') return [demand(`${cluster.replace(':cluster/', ':container-instance/')}/*`)]
      if (call.operation === 'DescribeServices') {
        return named(input, 'services').map((name) =>
          demand(name.startsWith('arn:') ? name : `${cluster.replace(':cluster/', ':service/')}/${name}`),
        )
      }
      return named(input, 'tasks').map((id) =>
        demand(id.startsWith('arn:') ? id : `${cluster.replace(':cluster/', ':task/')}/${id}`),
      )
    },
    async handle(call) {
      const input = parse(call)
      switch (call.operation) {
        case 'UpdateTaskProtection': {
          const tasks = tasksNamed(input)
          for (const { taskArn } of tasks) backend.protect(taskArn, input['protectionEnabled'] === true)
          const protectedTasks = tasks.map(({ taskArn }) => ({
            taskArn,
            protectionEnabled: input['protectionEnabled'] === true,
          }))
          return jsonAnswer(PROTOCOL, { protectedTasks, failures: [] })
        }
        case 'GetTaskProtection':
          return jsonAnswer(PROTOCOL, {
            protectedTasks: tasksNamed(input).map((task) => ({
              taskArn: task.taskArn,
              protectionEnabled: task.protected,
            })),
            failures: [],
          })
        case 'ListTasks': {
          const service = typeof input['serviceName'] === 'string' ? input['serviceName'] : undefined
          const status = typeof input['desiredStatus'] === 'string' ? input['desiredStatus'] : 'RUNNING'
          const found = backend
            .tasks()
            .filter(
              (task) => task.desiredStatus === status && (service === undefined || service.endsWith(task.serviceName)),
            )
          return jsonAnswer(PROTOCOL, { taskArns: found.map(({ taskArn }) => taskArn) })
        }
        case 'DescribeTasks': {
          const tasks = tasksNamed(input)
          const failures = named(input, 'tasks')
            .filter((id) => !tasks.some(({ taskArn }) => taskArn === id || taskArn.endsWith(`/${id}`)))
            .map((arn) => ({ arn, reason: 'MISSING' }))
          return jsonAnswer(PROTOCOL, { tasks: tasks.map(describeTask), failures })
        }
        default: {
          const wanted = named(input, 'services')
          const found = services.filter(({ name, arn }) => wanted.includes(name) || wanted.includes(arn))
          return jsonAnswer(PROTOCOL, {
            services: found.map((service) => describeService(service, backend)),
            failures: [],
          })
        }
      }
    },
  }
}

function describeTask(task: EcsTask): object {
  const { taskArn, clusterArn, taskDefinitionArn, lastStatus, desiredStatus, startedBy } = task
  const createdAt = Date.parse(task.createdAt) / 1000
  return {
    taskArn,
    clusterArn,
    taskDefinitionArn,
    lastStatus,
    desiredStatus,
    startedBy,
    createdAt,
    group: `service:${task.serviceName}`,
    launchType: 'FARGATE',
  }
}

function describeService(service: ServiceSpec, backend: EcsBackend): object {
  const tasks = backend.tasks().filter(({ serviceName }) => serviceName === service.name)
  return {
    serviceArn: service.arn,
    serviceName: service.name,
    clusterArn: service.clusterArn,
    status: 'ACTIVE',
    desiredCount: backend.desiredCount(service.name),
    runningCount: tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING').length,
    pendingCount: tasks.filter(({ lastStatus }) => lastStatus === 'PENDING').length,
    taskDefinition: service.taskDefinition.arn,
  }
}
