import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildHoldfast, type Holdfast } from '../../infra/build.ts'
import { parseSettings } from '../../infra/settings.ts'
import { httpRoutes } from '../../shared/api/routes.ts'
import { tableNames, tables } from '../../shared/aws/tables.ts'

interface Resource {
  readonly Type: string
  // biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
  readonly Properties: any
}

const cdkJson = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))

/** Bundling is left out: only the templates matter here. */
const withoutBundling = { ...cdkJson.context, 'aws:cdk:bundling-stacks': [] }

/** Throws where the default rules or cdk-nag find something. */
function synthesize(context: Record<string, unknown> = {}): Holdfast {
  const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
  const app = new App({ outdir, context: { ...withoutBundling, ...context } })
  const holdfast = buildHoldfast(app)
  app.synth()
  return holdfast
}

let holdfast: Holdfast
let templates: readonly Template[]
const all = (type: string): Resource[] =>
  templates.flatMap((template) => Object.values(template.findResources(type)) as Resource[])

beforeAll(() => {
  holdfast = synthesize()
  templates = [holdfast.stateful, holdfast.controlPlane, holdfast.connector].map((stack) => Template.fromStack(stack))
})

describe('the synthesized templates', () => {
  it('pass the default rules and cdk-nag, which would have thrown', () => {
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'holdfast-cdk-')), context: withoutBundling })
    const { stateful } = buildHoldfast(app)
    new Bucket(stateful, 'Careless')
    expect(() => app.synth()).toThrow(/AwsSolutions-S1/)
  })

  it('have every table of the data layout, with recovery, streams and expiry', () => {
    const found = all('AWS::DynamoDB::GlobalTable').map((table) => table.Properties)
    expect(found).toHaveLength(tableNames.length)
    for (const table of found) {
      expect(table.BillingMode).toBe('PAY_PER_REQUEST')
      expect(table.Replicas[0].PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled).toBe(true)
    }
    const withStream = tableNames.filter((name) => tables[name].stream).length
    expect(found.filter((table) => table.StreamSpecification).length).toBe(withStream)
    const withTtl = tableNames.filter((name) => tables[name].ttl).length
    expect(found.filter((table) => table.TimeToLiveSpecification?.Enabled).length).toBe(withTtl)
  })

  it('keep the auth bucket private, versioned, encrypted with a bucket key and TLS only', () => {
    const stateful = templates[0] as Template
    stateful.hasResourceProperties('AWS::S3::Bucket', {
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } },
        ],
      },
      LifecycleConfiguration: {
        Rules: Match.arrayWith([Match.objectLike({ NoncurrentVersionExpiration: { NoncurrentDays: 7 } })]),
      },
    })
    stateful.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      },
    })
  })

  it('have one FIFO queue per partition, and a dead-letter queue behind every queue that is not one', () => {
    const queues = all('AWS::SQS::Queue').map((queue) => queue.Properties)
    const partitions = queues.filter((queue) => /^holdfast-dev-partition-\d+\.fifo$/.test(queue.QueueName ?? ''))
    expect(partitions).toHaveLength(holdfast.settings.partitions)
    for (const queue of partitions)
      expect(queue).toMatchObject({ FifoQueue: true, RedrivePolicy: { maxReceiveCount: 10 } })
    const isDeadLetters = queues.filter((queue) => queue.MessageRetentionPeriod === 14 * 86_400)
    expect(queues.filter((queue) => !queue.RedrivePolicy)).toEqual(isDeadLetters)
  })

  it('run every function on Node 24 and arm64 with logs that expire', () => {
    const functions = all('AWS::Lambda::Function').map((fn) => fn.Properties)
    expect(functions.length).toBeGreaterThanOrEqual(17)
    for (const fn of functions) {
      expect(fn).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' })
      expect(fn.LoggingConfig.LogGroup).toBeDefined()
    }
    for (const group of all('AWS::Logs::LogGroup')) expect(group.Properties.RetentionInDays).toBe(30)
  })

  it('report partial batch failures from every mapping, and give every stream a failure destination', () => {
    const mappings = all('AWS::Lambda::EventSourceMapping').map((mapping) => mapping.Properties)
    expect(mappings).toHaveLength(10)
    for (const mapping of mappings) expect(mapping.FunctionResponseTypes).toEqual(['ReportBatchItemFailures'])
    const streams = mappings.filter((mapping) => mapping.StartingPosition)
    expect(streams).toHaveLength(5)
    for (const mapping of streams) {
      expect(mapping.DestinationConfig.OnFailure.Destination).toBeDefined()
      expect(mapping.BisectBatchOnFunctionError).toBe(true)
      expect(mapping.MaximumRetryAttempts).toBeGreaterThan(0)
    }
  })

  it('route every call of the contract, behind the authorizer unless it is open to everybody', () => {
    const routes = all('AWS::ApiGatewayV2::Route').map((route) => route.Properties)
    for (const { method, path, auth } of httpRoutes) {
      const route = routes.find((candidate) => candidate.RouteKey === `${method} ${path}`)
      expect(route, `${method} ${path}`).toBeDefined()
      expect(route.AuthorizationType).toBe(auth === 'none' ? 'NONE' : 'CUSTOM')
    }
    for (const key of ['$connect', '$disconnect', '$default']) {
      expect(routes.map((route) => route.RouteKey)).toContain(key)
    }
  })

  it('select WebSocket routes by the action of the frame', () => {
    const [socket] = all('AWS::ApiGatewayV2::Api').filter((api) => api.Properties.ProtocolType === 'WEBSOCKET')
    expect(socket?.Properties.RouteSelectionExpression).toBe('$request.body.action')
  })

  it('run the connector on arm64 with a read-only root, a health check and 120 s to stop', () => {
    const [task] = all('AWS::ECS::TaskDefinition').map((definition) => definition.Properties)
    expect(task.RuntimePlatform.CpuArchitecture).toBe('ARM64')
    expect(task.ContainerDefinitions).toHaveLength(1)
    expect(task.ContainerDefinitions[0]).toMatchObject({ StopTimeout: 120, ReadonlyRootFilesystem: true })
    expect(task.ContainerDefinitions[0].HealthCheck.Command[0]).toBe('CMD')
  })

  it('give no role an action with a wildcard', () => {
    const statements = all('AWS::IAM::Policy').flatMap((policy) => policy.Properties.PolicyDocument.Statement)
    const actions = statements.flatMap((statement) => statement.Action)
    expect(actions.length).toBeGreaterThan(40)
    expect(actions.filter((action: string) => action.includes('*'))).toEqual([])
  })

  it('tell callers what they need, as outputs and as parameters', () => {
    const outputs = templates.flatMap((template) => Object.keys(template.findOutputs('*')))
    for (const name of [
      'HttpApiUrl',
      'LiveApiUrl',
      'SendsQueueUrl',
      'SendsQueueArn',
      'SendsFifoQueueUrl',
      'SendsFifoQueueArn',
      'AdminApiKeySecretArn',
      'SendsDeadLettersUrl',
    ]) {
      expect(outputs).toContain(name)
    }
    const parameters = all('AWS::SSM::Parameter').map((parameter) => parameter.Properties.Name)
    expect(parameters).toContain('/holdfast/dev/http-api-url')
    expect(parameters).toContain('/holdfast/dev/console-url')
    expect(parameters).toHaveLength(11)
  })

  it('stay within the limits of CloudFormation', () => {
    for (const template of templates) {
      const json = template.toJSON()
      expect(Object.keys(json.Resources).length).toBeLessThan(450)
      expect(JSON.stringify(json).length).toBeLessThan(900_000)
    }
  })
})

describe('settings', () => {
  it.each(['dev', 'staging', 'production'])('of stage %s synthesize', (stage) => {
    expect(synthesize({ stage }).settings.stage).toBe(stage)
  })

  it.each([
    [{ partitions: 0 }, /partitions/],
    [{ stage: 'Prod!' }, /stage: lower-case letters/],
    [{ logRetentionDays: 5 }, /logRetentionDays: one of/],
    [{ workerz: 1 }, /workerz/],
    [{ stage: 'production', dataRemoval: 'destroy' }, /dataRemoval: production keeps its data/],
  ])('%j are refused by name', (settings, message) => {
    expect(() => parseSettings(settings)).toThrow(message)
  })
})
