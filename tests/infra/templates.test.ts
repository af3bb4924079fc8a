import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildHoldfast } from '../../infra/build.ts'
import type { Holdfast } from '../../infra/holdfast.ts'
import { parseSettings } from '../../infra/settings.ts'
import { openApiDocument } from '../../shared/api/openapi.ts'
import { httpRoutes } from '../../shared/api/routes.ts'
import { tableNames, tables } from '../../shared/aws/tables.ts'
import { knownWire, knownWires } from '../end-to-end/known-wires.ts'
import { mutationsOf } from '../end-to-end/mutations.ts'

interface Resource {
  readonly Type: string
  // biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
  readonly Properties: any
}

/** Of an operation in the API's description. */
interface Described {
  readonly parameters: readonly { readonly in: string; readonly name: string }[]
  readonly responses: Readonly<Record<string, { readonly headers?: object }>>
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

const stages = new Map<string, Holdfast>()

/** As cdk.json has it; once. */
function synthesizeStage(stage: string): Holdfast {
  const made = stages.get(stage) ?? synthesize({ stage })
  stages.set(stage, made)
  return made
}

let holdfast: Holdfast
let templates: readonly Template[]
const all = (type: string): Resource[] =>
  templates.flatMap((template) => Object.values(template.findResources(type)) as Resource[])

beforeAll(() => {
  holdfast = synthesizeStage('dev')
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

  it('report partial batch failures from every mapping, and give every stream that tells of changes a failure destination', () => {
    const mappings = all('AWS::Lambda::EventSourceMapping').map((mapping) => mapping.Properties)
    expect(mappings).toHaveLength(11)
    for (const mapping of mappings) expect(mapping.FunctionResponseTypes).toEqual(['ReportBatchItemFailures'])
    const streams = mappings.filter((mapping) => mapping.StartingPosition)
    expect(streams).toHaveLength(6)
    // What the reader of ended media gives up the bucket deletes by age.
    const bounded = streams.filter(({ EventSourceArn }) => JSON.stringify(EventSourceArn).includes('MediaTable'))
    expect(bounded).toHaveLength(1)
    for (const mapping of streams) {
      if (!bounded.includes(mapping)) expect(mapping.DestinationConfig.OnFailure.Destination).toBeDefined()
      expect(mapping.BisectBatchOnFunctionError).toBe(true)
      expect(mapping.MaximumRetryAttempts).toBeGreaterThan(0)
    }
  })

  it('have the wires that `mutate-all.ts` knows for needed although nobody misses them', () => {
    const stacks = [holdfast.stateful, holdfast.controlPlane, holdfast.connector].map((stack) => ({
      stackName: stack.stackName,
      path: stack.node.path,
      template: Template.fromStack(stack).toJSON(),
    }))
    const excused = new Set(mutationsOf(stacks).map(knownWire))
    const idle = knownWires.filter((wire) => !excused.has(wire))
    expect(idle.map(({ kind, name }) => `${kind} ${name}`)).toEqual([])
  })

  it('let browsers of the origins that are set call, with every header of the contract, and read what it answers with', () => {
    const set = { dev: { ...cdkJson.context.holdfast.dev, corsOrigins: 'https://shop.example,https://desk.example' } }
    const { controlPlane, stateful } = synthesize({ holdfast: set })
    const origins = ['https://shop.example', 'https://desk.example']
    const [api] = Object.values(Template.fromStack(controlPlane).findResources('AWS::ApiGatewayV2::Api')).filter(
      ({ Properties }) => Properties.ProtocolType === 'HTTP',
    )
    const cors = api?.Properties.CorsConfiguration
    expect(cors.AllowOrigins).toEqual(origins)
    const operations = Object.values(openApiDocument().paths as Record<string, Record<string, Described>>).flatMap(
      (path) => Object.values(path),
    )
    const sent = operations.flatMap(({ parameters }) =>
      parameters.filter((each) => each.in === 'header').map(({ name }) => name),
    )
    const answered = operations.flatMap(({ responses }) =>
      Object.values(responses).flatMap(({ headers }) => Object.keys(headers ?? {})),
    )
    for (const name of new Set(['X-Api-Key', 'Content-Type', ...sent]))
      expect(cors.AllowHeaders).toContain(name.toLowerCase())
    for (const name of new Set(['ETag', 'Location', ...answered]))
      expect(cors.ExposeHeaders).toContain(name.toLowerCase())
    for (const { method } of httpRoutes) expect(cors.AllowMethods).toContain(method)
    Template.fromStack(stateful).hasResourceProperties('AWS::S3::Bucket', {
      CorsConfiguration: {
        CorsRules: [Match.objectLike({ AllowedOrigins: origins, AllowedMethods: ['PUT', 'GET', 'HEAD'] })],
      },
    })
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
    const { InitProcessEnabled, Capabilities } = task.ContainerDefinitions[0].LinuxParameters
    expect({ InitProcessEnabled, Capabilities }).toEqual({ InitProcessEnabled: true, Capabilities: { Drop: ['ALL'] } })
  })

  it('name the command and the health check that the image has, which runs as nobody of power on a slim Node 24', () => {
    const file = readFileSync(join(import.meta.dirname, '../../connector/Dockerfile'), 'utf8')
    const last = (word: string) => file.match(new RegExp(`^${word}\\b.*$`, 'gm'))?.at(-1) ?? ''
    const [task] = all('AWS::ECS::TaskDefinition').map((definition) => definition.Properties)
    const { Command, HealthCheck } = task.ContainerDefinitions[0]
    expect(last('FROM')).toMatch(/^FROM node:24\.\d+-\w+-slim$/)
    expect(last('USER')).toBe('USER node')
    expect(file).toMatch(/npm ci --omit=dev/)
    expect(JSON.parse(last('CMD').slice('CMD '.length))).toEqual(Command)
    const [, flags = '', asked = ''] = /^HEALTHCHECK (.*) CMD (.*)$/.exec(last('HEALTHCHECK')) ?? []
    expect(['CMD', ...JSON.parse(asked)]).toEqual(HealthCheck.Command)
    const { Interval, Timeout, Retries, StartPeriod } = HealthCheck
    expect(flags).toBe(
      `--interval=${Interval}s --timeout=${Timeout}s --start-period=${StartPeriod}s --retries=${Retries}`,
    )
  })

  it('deploy by surging, and scale by connections and by late doorbells, slowly in', () => {
    const [service] = all('AWS::ECS::Service').map((each) => each.Properties)
    expect(service.DeploymentConfiguration).toMatchObject({
      MinimumHealthyPercent: 100,
      MaximumPercent: 200,
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    })
    const [target] = all('AWS::ApplicationAutoScaling::ScalableTarget').map((each) => each.Properties)
    const { workers, workersMax } = holdfast.settings
    expect(target).toMatchObject({ MinCapacity: workers, MaxCapacity: workersMax })
    const policies = all('AWS::ApplicationAutoScaling::ScalingPolicy').map((each) => each.Properties)
    const tracking = policies.find((policy) => policy.PolicyType === 'TargetTrackingScaling')
    const { CustomizedMetricSpecification: metric, ...speed } = tracking.TargetTrackingScalingPolicyConfiguration
    expect(metric).toMatchObject({ MetricName: 'Connections', Statistic: 'Average' })
    expect(speed.ScaleInCooldown).toBeGreaterThan(speed.ScaleOutCooldown)
    const steps = policies.filter((policy) => policy.PolicyType === 'StepScaling')
    const changes = steps.flatMap((policy) => policy.StepScalingPolicyConfiguration.StepAdjustments)
    expect(changes.length).toBeGreaterThan(0)
    // Late doorbells only ever ask for more: fewer is the other policy's to decide.
    for (const { ScalingAdjustment } of changes) expect(ScalingAdjustment).toBeGreaterThanOrEqual(0)
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
      'SendsFifoDeadLettersUrl',
    ]) {
      expect(outputs).toContain(name)
    }
    const parameters = all('AWS::SSM::Parameter').map((parameter) => parameter.Properties.Name)
    expect(parameters).toContain('/holdfast/dev/http-api-url')
    expect(parameters).toContain('/holdfast/dev/console-url')
    expect(parameters).toHaveLength(13)
  })

  it('have neither domains nor a sign-in provider where none is set', () => {
    for (const type of ['ApiGatewayV2::DomainName', 'ApiGatewayV2::ApiMapping', 'Route53::RecordSet']) {
      expect(all(`AWS::${type}`)).toEqual([])
    }
    const text = JSON.stringify(templates.map((template) => template.toJSON()))
    for (const word of ['SIGN_IN', 'signIn', '"authorization"']) expect(text).not.toContain(word)
  })

  it('keep data and keys or delete them as the stage says', () => {
    const kept = ['AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret']
    const policies = (stacks: readonly Template[]) =>
      stacks.flatMap((stack) => kept.flatMap((type) => Object.values(stack.findResources(type))))
    const ofDev = policies(templates)
    expect(ofDev.length).toBeGreaterThan(10)
    for (const resource of ofDev) expect(resource['DeletionPolicy']).toBe('Delete')
    const production = Template.fromStack(synthesizeStage('production').stateful)
    const buckets = Object.values(production.findResources('AWS::S3::Bucket'))
    expect(buckets).toHaveLength(2)
    for (const resource of [...policies([production]), ...buckets]) {
      expect(resource).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' })
    }
    for (const table of Object.values(production.findResources('AWS::DynamoDB::GlobalTable'))) {
      expect(table['Properties'].Replicas[0].DeletionProtectionEnabled).toBe(true)
    }
  })

  it('renew their keys, which belong to their account and to nobody else', () => {
    const keys = all('AWS::KMS::Key').map((key) => key.Properties)
    expect(keys).toHaveLength(3)
    for (const { EnableKeyRotation, KeyPolicy } of keys) {
      expect(EnableKeyRotation).toBe(true)
      const principals = KeyPolicy.Statement.map(({ Principal }: { Principal: unknown }) => JSON.stringify(Principal))
      expect(principals.filter((who: string) => !who.includes(':root'))).toEqual([])
    }
  })

  it('stay within the limits of CloudFormation', () => {
    for (const template of templates) {
      const json = template.toJSON()
      expect(Object.keys(json.Resources).length).toBeLessThan(450)
      expect(JSON.stringify(json).length).toBeLessThan(900_000)
    }
  })
})

describe('tracing', () => {
  const of = (tracing: boolean) => {
    const { controlPlane, connector } = synthesize({ holdfast: { dev: { tracing } } })
    const both = [controlPlane, connector].map((stack) => Template.fromStack(stack))
    const find = (type: string) => both.flatMap((template) => Object.values(template.findResources(type)) as Resource[])
    return {
      modes: new Set(find('AWS::Lambda::Function').map((fn) => fn.Properties.TracingConfig?.Mode)),
      entries: find('AWS::ECS::TaskDefinition').flatMap(
        ({ Properties }) => Properties.ContainerDefinitions[0].Environment as { Name: string; Value: string }[],
      ),
      actions: JSON.stringify(find('AWS::IAM::Policy')).match(/xray:\w+/g) ?? [],
    }
  }

  it('is on in every function and in the connector, where it is set', () => {
    const { modes, entries, actions } = of(true)
    expect([...modes]).toEqual(['Active'])
    expect(entries).toContainEqual({ Name: 'TRACING', Value: 'on' })
    expect(actions).toContain('xray:PutTraceSegments')
  })

  it('is nowhere else', () => {
    const { modes, entries, actions } = of(false)
    expect([...modes]).toEqual([undefined])
    expect(entries.map(({ Name }) => Name)).not.toContain('TRACING')
    expect(actions).toEqual([])
  })
})

describe('settings', () => {
  it.each(['dev', 'staging', 'production'])('of stage %s synthesize', (stage) => {
    expect(synthesizeStage(stage).settings.stage).toBe(stage)
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
