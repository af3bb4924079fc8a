/** All services behind the front, by the names that signatures give them. */
import type { Model } from '../template/specs.ts'
import { dynamoDbService, streamsService } from './dynamodb.ts'
import { type EcsBackend, ecsService } from './ecs-api.ts'
import { eventsService } from './events-api.ts'
import { executeApiService, type ManagedApi } from './execute-api.ts'
import type { FrontServices } from './front.ts'
import { kmsService } from './kms.ts'
import { type ParameterStore, parametersService } from './parameters.ts'
import { createUpstream, type Upstream } from './proxy.ts'
import { s3Service } from './s3.ts'
import type { S3Store } from './s3-store.ts'
import { type SecretStore, secretsService } from './secrets.ts'
import { sqsService } from './sqs.ts'
import { stsService } from './sts.ts'

export interface Emulators {
  readonly dynamoPort: number
  readonly queues: Upstream
  readonly objects: S3Store
  readonly secrets: SecretStore
  readonly parameters: ParameterStore
  readonly kmsSecret: string
  readonly putEvents: Parameters<typeof eventsService>[0]
  readonly managed: () => readonly ManagedApi[]
  readonly ecs: EcsBackend
  readonly tellCapacity?: boolean
}

export function frontServices(model: Model, emulators: Emulators): FrontServices {
  const { region, account } = model
  const dynamo = createUpstream(emulators.dynamoPort)
  return {
    dynamodb: dynamoDbService(model.tables, dynamo, region, account, emulators.tellCapacity),
    streams: streamsService(model.tables, dynamo),
    sqs: sqsService(model.queues, emulators.queues, region, account),
    s3: s3Service(model.buckets, emulators.objects, region),
    secretsmanager: secretsService(model.secrets, emulators.secrets, region, account),
    ssm: parametersService(emulators.parameters, region, account),
    events: eventsService(emulators.putEvents, region, account),
    'execute-api': executeApiService(emulators.managed, region, account),
    ecs: ecsService(model.services, emulators.ecs, region, account),
    kms: kmsService(model.keyArns, model.keyAliases, emulators.kmsSecret),
    sts: stsService(account),
  }
}
