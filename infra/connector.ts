import { Duration, IgnoreMode, RemovalPolicy } from 'aws-cdk-lib'
import { type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets'
import {
  Capability,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs'
import { Rule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { acknowledge, allObjectsFinding } from './acknowledge.ts'
import { type Alarms, functionAlarms, workerAlarms } from './alarms.ts'
import { imageContext } from './code.ts'
import { Handler } from './function.ts'
import { imageParts } from './image-parts.ts'
import { networkOf } from './network.ts'
import { inStatements } from './policy-size.ts'
import type { Queues } from './queues.ts'
import { scaleWorkers } from './scaling.ts'
import { logRetention, type Settings } from './settings.ts'
import type { Storage } from './storage.ts'

const containerName = 'connector'

export interface ConnectorProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly queues: Queues
  readonly alarms: Alarms
  /** Default: as the setting `network` says. */
  readonly vpc?: IVpc | undefined
}

/** The long-lived service that holds the WhatsApp sockets. */
export class Connector extends Construct {
  readonly service: FargateService

  constructor(scope: Construct, id: string, { settings, storage, queues, alarms, vpc: givenVpc }: ConnectorProps) {
    super(scope, id)
    const { tables } = storage
    const { vpc, subnets, assignPublicIp, endpoints } = networkOf(this, settings, givenVpc)
    const cluster = new Cluster(this, 'Cluster', { vpc, containerInsightsV2: ContainerInsights.ENABLED })

    const task = new FargateTaskDefinition(this, 'Task', {
      cpu: settings.workerCpu,
      memoryLimitMiB: settings.workerMemoryMiB,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    })
    // An init of its own: as process 1 Node would not see a signal that comes before its handlers are there.
    const linuxParameters = new LinuxParameters(this, 'Linux', { initProcessEnabled: true })
    linuxParameters.dropCapabilities(Capability.ALL)
    const image = new DockerImageAsset(this, 'Image', {
      directory: imageContext(),
      file: 'connector/Dockerfile',
      platform: Platform.LINUX_ARM64,
      ignoreMode: IgnoreMode.DOCKER,
      exclude: ['*', ...imageParts.map((part) => `!${part}`), '**/node_modules'],
    })
    task.addContainer(containerName, {
      image: ContainerImage.fromDockerImageAsset(image),
      command: ['node', 'connector/main.ts'],
      environment: {
        STAGE: settings.stage,
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        FLEET_TABLE: tables.fleet.tableName,
        AUTH_TABLE: tables.auth.tableName,
        AUTH_BUCKET: storage.authBucket.bucketName,
        PARTITION_QUEUE_PREFIX: queues.partitionQueueUrlPrefix,
        PARTITION_COUNT: String(settings.partitions),
        DOORBELL_DLQ_URL: queues.doorbellDeadLetters.queueUrl,
        MAX_CONNECTIONS: String(settings.maxConnectionsPerWorker),
        MESSAGE_RETENTION_DAYS: String(settings.messageRetentionDays),
        MEDIA_TABLE: tables.media.tableName,
        MEDIA_BUCKET: storage.mediaBucket.bucketName,
        MEDIA_RETENTION_DAYS: String(settings.mediaRetentionDays),
        ...(settings.tracing ? { TRACING: 'on' } : {}),
      },
      logging: LogDrivers.awsLogs({
        streamPrefix: 'connector',
        logGroup: new LogGroup(this, 'Logs', {
          retention: logRetention(settings),
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
      healthCheck: {
        command: ['CMD', 'node', 'connector/health-check.ts'],
        interval: Duration.seconds(15),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(60),
      },
      stopTimeout: Duration.seconds(120),
      readonlyRootFilesystem: true,
      linuxParameters,
    })
    acknowledge(task, 'AwsSolutions-ECS2', 'The environment holds names of tables and queues, no secrets.')
    acknowledge(
      task.obtainExecutionRole(),
      'AwsSolutions-IAM5[Resource::*]',
      'ecr:GetAuthorizationToken knows no resource; the CDK grants it together with the pull of this one repository.',
    )
    acknowledge(
      task.taskRole,
      allObjectsFinding(this, storage.authBucket),
      'Every snapshot is an object under a fresh key, so the role names the bucket that holds nothing else.',
    )

    acknowledge(
      task.taskRole,
      allObjectsFinding(this, storage.mediaBucket, 'media/'),
      'Media are objects of all business profiles, named at run time; the role names the folder that holds nothing else.',
    )

    const allow = (actions: string[], resources: string[]) =>
      task.taskRole.addToPrincipalPolicy(new PolicyStatement({ actions, resources }))
    const dynamodb = (...actions: string[]) => actions.map((action) => `dynamodb:${action}`)
    allow(dynamodb('GetItem', 'UpdateItem', 'DeleteItem'), [tables.connections.tableArn])
    allow(dynamodb('Query'), [`${tables.connections.tableArn}/index/byPartition`])
    allow(dynamodb('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'), [tables.messages.tableArn])
    allow(dynamodb('Query'), [`${tables.messages.tableArn}/index/waiting`, `${tables.messages.tableArn}/index/byChat`])
    allow(dynamodb('Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'), [tables.fleet.tableArn])
    allow(dynamodb('GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'BatchWriteItem'), [
      tables.auth.tableArn,
    ])
    allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], [storage.authBucket.arnForObjects('*')])
    // Erasing lists what there is; and without it S3 answers 403 for an object that is missing, which is another fact.
    allow(['s3:ListBucket'], [storage.authBucket.bucketArn])
    allow(['kms:Decrypt', 'kms:GenerateDataKey'], [storage.authKey.keyArn])
    allow(dynamodb('GetItem', 'PutItem', 'UpdateItem'), [tables.media.tableArn])
    allow(['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'], [storage.mediaBucket.arnForObjects('media/*')])
    allow(['s3:ListBucket'], [storage.mediaBucket.bucketArn])
    allow(['kms:Decrypt', 'kms:GenerateDataKey'], [storage.mediaKey.keyArn])
    for (const some of inStatements(queues.partitions.map((queue) => queue.queueArn))) {
      allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'], [...some])
    }
    allow(['sqs:SendMessage'], [queues.doorbellDeadLetters.queueArn])

    if (settings.tracing) {
      allow(['xray:PutTraceSegments'], ['*'])
      acknowledge(
        task.taskRole,
        'AwsSolutions-IAM5[Resource::*]',
        'Traces belong to no resource: xray:PutTraceSegments knows none.',
      )
    }

    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Holdfast connector: calls out, is never called',
      allowAllOutbound: true,
    })
    endpoints?.addIngressRule(securityGroup, Port.HTTPS, 'From the connector')
    this.service = new FargateService(this, 'Service', {
      cluster,
      taskDefinition: task,
      desiredCount: settings.workers,
      assignPublicIp,
      vpcSubnets: subnets,
      securityGroups: [securityGroup],
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      enableExecuteCommand: false,
    })
    scaleWorkers(this.service, settings)
    workerAlarms(alarms, settings)

    // A death that the platform knows of is not waited out.
    const taskStopped = new Handler(this, 'TaskStopped', {
      handler: 'events/task-stopped',
      settings,
      environment: { FLEET_TABLE: tables.fleet.tableName, CONNECTOR_CONTAINER: containerName },
    })
    taskStopped.allowTable(tables.fleet, 'Query', 'UpdateItem')
    new Rule(this, 'TaskStoppedRule', {
      description: 'A connector task stopped: its partitions are free at once',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: { clusterArn: [cluster.clusterArn], lastStatus: ['STOPPED'] },
      },
      targets: [new LambdaFunction(taskStopped)],
    })
    functionAlarms(alarms, this, 'connector-function-errors')
  }
}
