/**
 * A small two-stack CDK app with one resource of each kind that local mode runs, to test the engine against a template
 * that `cdk` itself wrote. Usage: `node tests/local/engine/app/app.ts OUT_DIR`.
 */
import { join } from 'node:path'
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as gateway from 'aws-cdk-lib/aws-apigatewayv2'
import * as authorizers from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import * as integrations from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as sources from 'aws-cdk-lib/aws-lambda-event-sources'
import { LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as s3 from 'aws-cdk-lib/aws-s3'
import * as secrets from 'aws-cdk-lib/aws-secretsmanager'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import * as ssm from 'aws-cdk-lib/aws-ssm'

const here = import.meta.dirname
const outdir = process.argv[2] ?? join(here, 'cdk.out')
const app = new App({ outdir, analyticsReporting: false, treeMetadata: false })

const data = new Stack(app, 'Sample-Data')
const key = new kms.Key(data, 'Key', { enableKeyRotation: true, removalPolicy: RemovalPolicy.DESTROY })
const table = new dynamodb.TableV2(data, 'Items', {
  partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
  sortKey: { name: 'sk', type: dynamodb.AttributeType.STRING },
  billing: dynamodb.Billing.onDemand(),
  timeToLiveAttribute: 'expiresAt',
  dynamoStream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
  globalSecondaryIndexes: [
    { indexName: 'byOwner', partitionKey: { name: 'owner', type: dynamodb.AttributeType.STRING } },
  ],
})
const bucket = new s3.Bucket(data, 'Files', {
  encryption: s3.BucketEncryption.KMS,
  encryptionKey: key,
  bucketKeyEnabled: true,
  versioned: true,
  enforceSSL: true,
  blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
  lifecycleRules: [{ noncurrentVersionExpiration: Duration.days(7) }],
})
const deadLetters = new sqs.Queue(data, 'DeadLetters', { enforceSSL: true, retentionPeriod: Duration.days(14) })
const jobs = new sqs.Queue(data, 'Jobs', {
  visibilityTimeout: Duration.seconds(60),
  enforceSSL: true,
  deadLetterQueue: { queue: deadLetters, maxReceiveCount: 3 },
})
const fifo = new sqs.Queue(data, 'Orders', { fifo: true, contentBasedDeduplication: false, enforceSSL: true })
const secret = new secrets.Secret(data, 'AdminApiKey', {
  generateSecretString: { passwordLength: 40, excludePunctuation: true },
})
const parameter = new ssm.StringParameter(data, 'Version', {
  parameterName: '/sample/version',
  stringValue: '[2,3000,1]',
})

const control = new Stack(app, 'Sample-Control')
const nodejs = (id: string, entry: string, environment: Record<string, string>): NodejsFunction =>
  new NodejsFunction(control, id, {
    entry: join(here, 'functions', entry),
    runtime: lambda.Runtime.NODEJS_24_X,
    architecture: lambda.Architecture.ARM_64,
    timeout: Duration.seconds(5),
    environment,
    logGroup: new logs.LogGroup(control, `${id}Logs`, { retention: logs.RetentionDays.ONE_MONTH }),
    bundling: {
      format: OutputFormat.ESM,
      target: 'node24',
      mainFields: ['module', 'main'],
      externalModules: [],
      minify: true,
      logLevel: LogLevel.ERROR,
      banner: "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);",
    },
    depsLockFilePath: join(here, '../../../../package-lock.json'),
    projectRoot: join(here, '../../../..'),
  })
const api = nodejs('Api', 'api.ts', { TABLE_NAME: table.tableName, JOBS_URL: jobs.queueUrl, BUCKET: bucket.bucketName })
table.grant(api, 'dynamodb:PutItem', 'dynamodb:GetItem')
jobs.grantSendMessages(api)
const authorizer = nodejs('Authorizer', 'authorizer.ts', { SECRET_ARN: secret.secretArn })
secret.grantRead(authorizer)
const worker = nodejs('Jobs', 'jobs.ts', { TABLE_NAME: table.tableName })
worker.addEventSource(new sources.SqsEventSource(jobs, { batchSize: 5, reportBatchItemFailures: true }))
table.grant(worker, 'dynamodb:UpdateItem')
const changes = nodejs('Changes', 'changes.ts', { ORDERS_URL: fifo.queueUrl })
changes.addEventSource(
  new sources.DynamoEventSource(table, {
    startingPosition: lambda.StartingPosition.TRIM_HORIZON,
    batchSize: 10,
    retryAttempts: 2,
    bisectBatchOnError: true,
    reportBatchItemFailures: true,
    onFailure: new sources.SqsDlq(deadLetters),
    filters: [lambda.FilterCriteria.filter({ eventName: lambda.FilterRule.isEqual('INSERT') })],
  }),
)
fifo.grantSendMessages(changes)

const http = new gateway.HttpApi(control, 'HttpApi', {
  defaultAuthorizer: new authorizers.HttpLambdaAuthorizer('Keys', authorizer, {
    responseTypes: [authorizers.HttpLambdaResponseType.SIMPLE],
    identitySource: ['$request.header.X-Api-Key'],
    resultsCacheTtl: Duration.seconds(0),
  }),
  corsPreflight: { allowOrigins: ['*'], allowMethods: [gateway.CorsHttpMethod.ANY], allowHeaders: ['x-api-key'] },
})
http.addRoutes({
  path: '/items/{id}',
  methods: [gateway.HttpMethod.GET, gateway.HttpMethod.PUT],
  integration: new integrations.HttpLambdaIntegration('ApiIntegration', api),
})
const live = new gateway.WebSocketApi(control, 'LiveApi', {
  connectRouteOptions: { integration: new integrations.WebSocketLambdaIntegration('Connect', api) },
  defaultRouteOptions: { integration: new integrations.WebSocketLambdaIntegration('Message', api) },
})
const stage = new gateway.WebSocketStage(control, 'LiveStage', {
  webSocketApi: live,
  stageName: 'live',
  autoDeploy: true,
})
stage.grantManagementApiAccess(changes)
changes.addEnvironment('CALLBACK_URL', stage.callbackUrl)

new cloudwatch.Alarm(control, 'DeadLetterAlarm', {
  metric: deadLetters.metricApproximateNumberOfMessagesVisible(),
  threshold: 1,
  evaluationPeriods: 1,
})
const stopped = new sqs.Queue(control, 'StoppedTasks', { enforceSSL: true })
new events.Rule(control, 'Stopped', {
  eventPattern: { source: ['aws.ecs'], detailType: ['ECS Task State Change'], detail: { lastStatus: ['STOPPED'] } },
  targets: [new targets.SqsQueue(stopped)],
})
new events.Rule(control, 'EveryMinute', {
  schedule: events.Schedule.rate(Duration.minutes(1)),
  targets: [new targets.LambdaFunction(worker)],
})

const connector = new Stack(app, 'Sample-Connector')
const vpc = new ec2.Vpc(connector, 'Vpc', { maxAzs: 2, natGateways: 0 })
const cluster = new ecs.Cluster(connector, 'Cluster', { vpc })
const task = new ecs.FargateTaskDefinition(connector, 'Task', {
  cpu: 256,
  memoryLimitMiB: 512,
  runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64 },
})
task.addContainer('worker', {
  image: ecs.ContainerImage.fromAsset(join(here, 'container')),
  command: ['node', 'main.mjs'],
  environment: { TABLE_NAME: table.tableName, ORDERS_URL: fifo.queueUrl, BUCKET: bucket.bucketName },
  secrets: { ADMIN_KEY: ecs.Secret.fromSecretsManager(secret), VERSION: ecs.Secret.fromSsmParameter(parameter) },
  stopTimeout: Duration.seconds(3),
  logging: ecs.LogDriver.awsLogs({
    streamPrefix: 'worker',
    logGroup: new logs.LogGroup(connector, 'Logs', { retention: logs.RetentionDays.ONE_MONTH }),
  }),
  healthCheck: {
    command: ['CMD', 'node', 'healthy.mjs'],
    interval: Duration.seconds(5),
    timeout: Duration.seconds(4),
    retries: 3,
    startPeriod: Duration.seconds(10),
  },
})
table.grant(task.taskRole, 'dynamodb:PutItem', 'dynamodb:Query')
fifo.grantConsumeMessages(task.taskRole)
bucket.grantReadWrite(task.taskRole)
task.taskRole.addToPrincipalPolicy(
  new iam.PolicyStatement({
    actions: ['ecs:UpdateTaskProtection'],
    resources: ['*'],
    conditions: { ArnEquals: { 'ecs:cluster': cluster.clusterArn } },
  }),
)
new ecs.FargateService(connector, 'Service', {
  cluster,
  taskDefinition: task,
  desiredCount: 2,
  minHealthyPercent: 100,
  maxHealthyPercent: 200,
  circuitBreaker: { rollback: true },
})

new CfnOutput(control, 'HttpApiUrl', { value: http.apiEndpoint })
new CfnOutput(control, 'LiveApiUrl', { value: stage.url })
new CfnOutput(data, 'SendsQueueUrl', { value: jobs.queueUrl })
new CfnOutput(data, 'SendsFifoQueueUrl', { value: fifo.queueUrl })
new CfnOutput(data, 'AdminApiKeySecretArn', { value: secret.secretArn })
app.synth()
