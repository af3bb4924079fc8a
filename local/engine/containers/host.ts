/** All ECS services of the template: their images, their tasks' environments, and what ECS's API says of them. */
import { join } from 'node:path'
import { keepNewest } from '../cache.ts'
import type { Credentials, EngineLog, Running } from '../contracts.ts'
import type { ServiceEvent } from '../events/start-events.ts'
import type { EcsBackend } from '../front/ecs-api.ts'
import { sdkEnvironment } from '../functions/invoker.ts'
import type { Assembly } from '../template/assembly.ts'
import { TemplateError } from '../template/errors.ts'
import type { ContainerSpec, Model, RoleSpec, ServiceSpec } from '../template/specs.ts'
import type { SecretReader } from './container-secrets.ts'
import { buildImage, type Image } from './image.ts'
import { type ContainerService, startService } from './service.ts'
import { definitionArn, taskMetadata } from './task-state.ts'

export interface ContainerHostOptions {
  readonly model: Model
  readonly images: ReadonlyMap<string, Image>
  readonly endpoint: string
  /** Where the task metadata endpoint is, e.g. `http://127.0.0.1:4501/_local/metadata`. */
  readonly metadataUrl: string
  readonly credentialsFor: (role: RoleSpec | undefined, title: string) => Credentials
  readonly secrets: SecretReader
  readonly localize: (value: string) => string
  /** By container name. */
  readonly overrides: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly workers: number | undefined
  readonly emit: (event: ServiceEvent) => void
  readonly log: EngineLog
}

export interface ContainerHost extends Running, EcsBackend {
  readonly services: readonly ContainerService[]
  metadata(taskId: string): Readonly<Record<string, unknown>> | undefined
}

/** Images of earlier code that are kept, for going back and forth between branches. */
const IMAGES_KEPT = 4

export async function buildImages(
  model: Model,
  assembly: Pick<Assembly, 'images'>,
  cache: string,
  log: EngineLog,
  progress: (message: string) => void = () => undefined,
): Promise<ReadonlyMap<string, Image>> {
  const images = new Map<string, Image>()
  for (const { taskDefinition } of model.services) {
    for (const { imageTag, name } of taskDefinition.containers) {
      const asset = assembly.images.get(imageTag)
      if (asset === undefined) throw new TemplateError(name, `its image ${imageTag} is not an asset of the app`)
      if (!images.has(imageTag))
        images.set(
          imageTag,
          await buildImage(asset, imageTag, cache, log, () =>
            progress(`building the image of ${name}, with a production install`),
          ),
        )
    }
  }
  keepNewest(join(cache, 'images'), IMAGES_KEPT)
  return images
}

export function startContainers(options: ContainerHostOptions): ContainerHost {
  const { model } = options
  const role = (arn: string | undefined): RoleSpec | undefined => model.roles.find((each) => each.arn === arn)

  const environmentOf =
    (spec: ServiceSpec) =>
    (
      container: ContainerSpec,
      task: { readonly id: string; readonly part: string },
    ): Readonly<Record<string, string>> => {
      const { taskRoleArn, executionRoleArn } = spec.taskDefinition
      const own = Object.entries(container.environment).map(([name, value]) => [name, options.localize(value)] as const)
      return {
        ...sdkEnvironment(
          model.region,
          options.endpoint,
          options.credentialsFor(role(taskRoleArn), `${task.part} (${task.id})`),
        ),
        AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
        ECS_CONTAINER_METADATA_URI_V4: `${options.metadataUrl}/${task.id}`,
        ...Object.fromEntries(own),
        ...options.secrets.read(container, role(executionRoleArn)),
        ...options.overrides[container.name],
      }
    }

  const services = model.services.map((spec) =>
    startService({
      spec,
      desiredCount: options.workers ?? spec.desiredCount,
      images: options.images,
      environmentOf: environmentOf(spec),
      emit: options.emit,
      log: options.log,
    }),
  )
  const all = (): readonly {
    readonly service: ContainerService
    readonly task: ReturnType<ContainerService['tasks']>[number]
  }[] => services.flatMap((service) => service.tasks().map((task) => ({ service, task })))

  return {
    services,
    metadata(taskId) {
      const found = all().find(({ task }) => task.id === taskId)
      return found === undefined ? undefined : taskMetadata(found.service.spec, found.task.state())
    },
    tasks: () =>
      all().map(({ service, task }) => {
        const { taskArn, lastStatus, desiredStatus, createdAt, deploymentId, revision } = task.state()
        return {
          taskArn,
          lastStatus,
          desiredStatus,
          createdAt,
          serviceName: service.spec.name,
          clusterArn: service.spec.clusterArn,
          taskDefinitionArn: definitionArn(service.spec, { revision }),
          startedBy: `ecs-svc/${deploymentId}`,
          protected: task.protected(),
        }
      }),
    protect: (taskArn, enabled) =>
      all()
        .find(({ task }) => task.state().taskArn === taskArn)
        ?.task.protect(enabled),
    desiredCount: (name) => services.find(({ spec }) => spec.name === name)?.desiredCount() ?? 0,
    async stop() {
      await Promise.all(services.map((service) => service.stop()))
    },
  }
}
