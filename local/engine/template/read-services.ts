/** ECS services with their task definitions. */
import { TemplateError } from './errors.ts'
import { arrayAt, booleanAt, numberAt, objectAt, onlyKeys, optional, stringAt, stringsAt } from './json.ts'
import type { Resource, Resources } from './resources.ts'
import type { ContainerSpec, HealthCheckSpec, ServiceSpec, TaskDefinitionSpec } from './specs.ts'

/** ECS's own defaults. */
const STOP_TIMEOUT_SECONDS = 30

export function readServices(resources: Resources): readonly ServiceSpec[] {
  return resources.ofType('AWS::ECS::Service').map(({ identity, properties, title, at }) => {
    const taskDefinitionArn = stringAt(properties['TaskDefinition'], `${at}.TaskDefinition`)
    const definition = resources
      .ofType('AWS::ECS::TaskDefinition')
      .find((entry) => entry.identity.ref === taskDefinitionArn)
    if (definition === undefined) throw new TemplateError(at, `its task definition ${taskDefinitionArn} does not exist`)
    const cluster = stringAt(properties['Cluster'] ?? 'default', `${at}.Cluster`)
    const found = resources
      .ofType('AWS::ECS::Cluster')
      .find((entry) => entry.identity.ref === cluster || entry.identity.attributes['Arn'] === cluster)
    if (found === undefined) throw new TemplateError(at, `its cluster ${cluster} does not exist`)
    return {
      arn: identity.ref,
      name: identity.name,
      title,
      clusterName: found.identity.ref,
      clusterArn: found.identity.attributes['Arn'] ?? '',
      desiredCount: numberAt(properties['DesiredCount'] ?? 1, `${at}.DesiredCount`),
      taskDefinition: readTaskDefinition(definition),
    }
  })
}

function readTaskDefinition({ identity, properties, at }: Resource): TaskDefinitionSpec {
  const taskRoleArn = optional(properties['TaskRoleArn'], (arn) => stringAt(arn, `${at}.TaskRoleArn`))
  const executionRoleArn = optional(properties['ExecutionRoleArn'], (arn) => stringAt(arn, `${at}.ExecutionRoleArn`))
  const containers = arrayAt(properties['ContainerDefinitions'], `${at}.ContainerDefinitions`)
  return {
    arn: identity.ref,
    family: identity.name,
    revision: 1,
    containers: containers.map((container, index) => readContainer(container, `${at}.ContainerDefinitions[${index}]`)),
    ...(taskRoleArn === undefined ? {} : { taskRoleArn }),
    ...(executionRoleArn === undefined ? {} : { executionRoleArn }),
  }
}

const CONTAINER_READS = [
  'Name',
  'Image',
  'EntryPoint',
  'Command',
  'WorkingDirectory',
  'Environment',
  'Secrets',
  'Essential',
  'StopTimeout',
  'HealthCheck',
]
/** What only matters inside a real container. Ulimits, users and mounts of an image are not made true on one machine. */
const CONTAINER_IGNORES = [
  'LogConfiguration',
  'PortMappings',
  'Cpu',
  'Memory',
  'MemoryReservation',
  'LinuxParameters',
  'ReadonlyRootFilesystem',
  'MountPoints',
  'Ulimits',
  'User',
  'Privileged',
  'VersionConsistency',
  'Interactive',
  'PseudoTerminal',
  'DockerLabels',
  'StartTimeout',
]

function readContainer(value: unknown, at: string): ContainerSpec {
  const container = objectAt(value, at)
  onlyKeys(container, [...CONTAINER_READS, ...CONTAINER_IGNORES], at)
  const image = stringAt(container['Image'], `${at}.Image`)
  const entryPoint = optional(container['EntryPoint'], (parts) => stringsAt(parts, `${at}.EntryPoint`))
  const command = optional(container['Command'], (parts) => stringsAt(parts, `${at}.Command`))
  const workingDirectory = optional(container['WorkingDirectory'], (path) => stringAt(path, `${at}.WorkingDirectory`))
  const healthCheck = optional(container['HealthCheck'], (check) => readHealthCheck(check, `${at}.HealthCheck`))
  const pairs = (property: string, of: string): readonly (readonly [string, string])[] =>
    arrayAt(container[property] ?? [], `${at}.${property}`).map((entry) => {
      const pair = objectAt(entry, `${at}.${property}`)
      return [
        stringAt(pair['Name'], `${at}.${property}.Name`),
        stringAt(pair[of] ?? '', `${at}.${property}.${of}`),
      ] as const
    })
  return {
    name: stringAt(container['Name'], `${at}.Name`),
    essential: container['Essential'] === undefined || booleanAt(container['Essential'], `${at}.Essential`),
    imageTag: image.slice(image.lastIndexOf(':') + 1),
    ...(entryPoint === undefined ? {} : { entryPoint }),
    ...(command === undefined ? {} : { command }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    environment: Object.fromEntries(pairs('Environment', 'Value')),
    secrets: pairs('Secrets', 'ValueFrom').map(([name, valueFrom]) => ({ name, valueFrom })),
    stopTimeoutMs: numberAt(container['StopTimeout'] ?? STOP_TIMEOUT_SECONDS, `${at}.StopTimeout`) * 1000,
    ...(healthCheck === undefined ? {} : { healthCheck }),
  }
}

function readHealthCheck(value: unknown, at: string): HealthCheckSpec {
  const check = objectAt(value, at)
  onlyKeys(check, ['Command', 'Interval', 'Timeout', 'Retries', 'StartPeriod'], at)
  const seconds = (name: string, byDefault: number): number =>
    numberAt(check[name] ?? byDefault, `${at}.${name}`) * 1000
  const command = stringsAt(check['Command'], `${at}.Command`)
  if (command[0] !== 'CMD' && command[0] !== 'CMD-SHELL')
    throw new TemplateError(at, 'expected a command that starts with CMD or CMD-SHELL')
  return {
    command,
    intervalMs: seconds('Interval', 30),
    timeoutMs: seconds('Timeout', 5),
    retries: numberAt(check['Retries'] ?? 3, `${at}.Retries`),
    startPeriodMs: seconds('StartPeriod', 0),
  }
}
