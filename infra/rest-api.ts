import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  CorsHttpMethod,
  HttpApi,
  type HttpMethod,
  HttpNoneAuthorizer,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { httpRoutes, isAudited, routeList } from '../shared/api/routes.ts'
import { acknowledge, allObjectsFinding } from './acknowledge.ts'
import { imageContext } from './code.ts'
import { ApiDomain } from './domains.ts'
import type { Events } from './events.ts'
import { Handler } from './function.ts'
import type { LiveApi } from './live-api.ts'
import type { Queues } from './queues.ts'
import { logRetention, type Settings } from './settings.ts'
import { acceptTokens } from './sign-in.ts'
import type { Storage } from './storage.ts'
import type { Webhooks } from './webhooks.ts'

export interface RestApiProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly queues: Queues
  /** For the operators' view of what could not be published. */
  readonly publish: Pick<LiveApi, 'publishDeadLetters' | 'publishRetries'>
  /** Tickets say where they open a socket. */
  readonly live: Pick<LiveApi, 'url'>
  readonly events: Pick<Events, 'deadLetters' | 'retries'>
  readonly webhooks: Webhooks
}

const { version } = JSON.parse(readFileSync(join(imageContext(), 'package.json'), 'utf8')) as {
  readonly version: string
}

/** The HTTP API: one function per resource, one authorizer in front of all, routes from the public contract. */
export class RestApi extends Construct {
  readonly url: string

  constructor(
    scope: Construct,
    id: string,
    { settings, storage, queues, publish, live, events, webhooks }: RestApiProps,
  ) {
    super(scope, id)
    const { tables } = storage

    const doorbells = { PARTITION_QUEUE_PREFIX: queues.partitionQueueUrlPrefix }

    const authorizer = new Handler(this, 'Authorizer', {
      handler: 'http/authorizer',
      settings,
      environment: {
        ACCOUNTS_TABLE: tables.accounts.tableName,
        ADMIN_API_KEY_SECRET_ARN: storage.adminApiKey.secretArn,
        REQUESTS_PER_SECOND: String(settings.requestsPerSecond),
      },
    })
    authorizer.allowItems(tables.accounts, ['apikey#*'], 'GetItem', 'UpdateItem')
    authorizer.allowItems(tables.accounts, ['rate#*'], 'UpdateItem')
    authorizer.addToRolePolicy(
      new PolicyStatement({
        actions: ['secretsmanager:GetSecretValue'],
        resources: [storage.adminApiKey.secretArn],
      }),
    )
    acceptTokens(authorizer, tables.accounts, settings.signIn)

    const connections = new Handler(this, 'Connections', {
      handler: 'http/connections',
      settings,
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        PARTITION_COUNT: String(settings.partitions),
        ...doorbells,
      },
    })
    connections.allowTable(tables.connections, 'GetItem', 'PutItem', 'UpdateItem', 'Query')
    connections.allowItems(tables.accounts, ['profile#*'], 'GetItem')
    connections.allowItems(tables.accounts, ['erasure#*', 'erasures'], 'PutItem')
    connections.allowSend(...queues.partitions.map((queue) => queue.queueArn))

    const messages = new Handler(this, 'Messages', {
      handler: 'http/messages',
      settings,
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        MESSAGE_RETENTION_DAYS: String(settings.messageRetentionDays),
        SENDS_PER_SECOND: String(settings.sendsPerSecond),
        ...doorbells,
      },
    })
    messages.allowTable(tables.connections, 'GetItem')
    messages.allowTable(tables.messages, 'GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem')
    messages.allowIndex(tables.messages, 'history')
    messages.allowIndex(tables.messages, 'byChat')
    // A connection at its limit of waiting sends is counted again before a caller is refused.
    messages.allowIndex(tables.messages, 'waiting')
    messages.allowItems(tables.accounts, ['rate#*', 'usage#*'], 'UpdateItem')
    messages.allowSend(...queues.partitions.map((queue) => queue.queueArn))

    const media = new Handler(this, 'Media', {
      handler: 'http/media',
      settings,
      // A caller may wait 20 s for a download.
      timeout: Duration.seconds(29),
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        MEDIA_TABLE: tables.media.tableName,
        MEDIA_BUCKET: storage.mediaBucket.bucketName,
        MEDIA_RETENTION_DAYS: String(settings.mediaRetentionDays),
        ...doorbells,
      },
    })
    media.allowTable(tables.connections, 'GetItem')
    media.allowTable(tables.messages, 'GetItem', 'PutItem')
    media.allowTable(tables.media, 'GetItem', 'PutItem', 'DeleteItem')
    media.allowSend(...queues.partitions.map((queue) => queue.queueArn))
    // What its presigned addresses may do, they may do by this role.
    media.addToRolePolicy(
      new PolicyStatement({
        actions: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
        resources: [storage.mediaBucket.arnForObjects('media/*')],
      }),
    )
    acknowledge(
      media.role ?? media,
      allObjectsFinding(this, storage.mediaBucket, 'media/'),
      'Media are objects of all business profiles, named at run time; the role names the folder that holds nothing else.',
    )
    // Without it S3 answers 403 for an object that is missing.
    media.addToRolePolicy(
      new PolicyStatement({ actions: ['s3:ListBucket'], resources: [storage.mediaBucket.bucketArn] }),
    )
    media.addToRolePolicy(
      new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [storage.mediaKey.keyArn] }),
    )

    const operations = new Handler(this, 'Operations', {
      handler: 'http/operations',
      settings,
      // A call may wait for its answer for 20 s; API Gateway gives up after 30.
      timeout: Duration.seconds(29),
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        ...doorbells,
      },
    })
    operations.allowTable(tables.connections, 'GetItem')
    operations.allowTable(tables.messages, 'GetItem', 'PutItem')
    operations.allowSend(...queues.partitions.map((queue) => queue.queueArn))

    const liveTickets = new Handler(this, 'LiveTickets', {
      handler: 'http/live-tickets',
      settings,
      environment: { LIVE_TABLE: tables.live.tableName, LIVE_URL: live.url },
    })
    liveTickets.allowTable(tables.live, 'PutItem')

    const account = new Handler(this, 'Account', {
      handler: 'http/account',
      settings,
      environment: { CONNECTIONS_TABLE: tables.connections.tableName },
    })
    // No function changes or removes an entry of the audit log; the profile's erasure does.
    const accountItems = ['profile#*', 'apikey#*', 'erasure#*', 'erasures']
    const changes = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'Query']
    account.allowItems(tables.accounts, accountItems, ...changes)
    account.allowItems(tables.accounts, ['audit#*'], 'Query')
    account.allowTable(tables.connections, 'GetItem')

    const admin = new Handler(this, 'Admin', {
      handler: 'http/admin',
      settings,
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        WEBHOOKS_TABLE: tables.webhooks.tableName,
        MEDIA_RETENTION_DAYS: String(settings.mediaRetentionDays),
      },
    })
    admin.allowItems(tables.accounts, accountItems, ...changes)
    admin.allowItems(tables.accounts, ['audit#*'], 'Query')
    // Profiles are listed by looking through the table.
    admin.allowTable(tables.accounts, 'Scan')
    // What a profile's connections and webhooks carry of its settings.
    admin.allowTable(tables.connections, 'Query', 'UpdateItem')
    admin.allowTable(tables.webhooks, 'Query', 'UpdateItem')
    // How long the profile keeps its events.
    webhooks.http.allowItems(tables.accounts, ['profile#*'], 'GetItem')

    const imports = new Handler(this, 'Imports', {
      handler: 'http/imports',
      settings,
      // A folder of some ten thousand files is read in one call.
      memoryMiB: 1024,
      timeout: Duration.seconds(29),
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        AUTH_TABLE: tables.auth.tableName,
        AUTH_BUCKET: storage.authBucket.bucketName,
        PARTITION_COUNT: String(settings.partitions),
        ...doorbells,
      },
    })
    // Which device an import has claimed is noted with the profile, too.
    imports.allowItems(tables.accounts, ['profile#*', 'device#*'], 'GetItem', 'PutItem', 'DeleteItem')
    // Looks for the device among the connections of all business profiles.
    imports.allowTable(tables.connections, 'GetItem', 'PutItem', 'Query', 'Scan')
    imports.allowTable(tables.auth, 'UpdateItem')
    imports.allowSend(...queues.partitions.map((queue) => queue.queueArn))
    if (imports.role !== undefined) {
      acknowledge(
        imports.role,
        allObjectsFinding(this, storage.authBucket),
        'An imported snapshot is an object under a fresh key, so the role names the bucket that holds nothing else.',
      )
    }
    imports.addToRolePolicy(
      new PolicyStatement({ actions: ['s3:PutObject'], resources: [storage.authBucket.arnForObjects('*')] }),
    )
    imports.addToRolePolicy(
      new PolicyStatement({ actions: ['kms:GenerateDataKey'], resources: [storage.authKey.keyArn] }),
    )

    const deadLetters = new Handler(this, 'DeadLetters', {
      handler: 'http/dead-letters',
      settings,
      // Looking through a queue takes some polls.
      timeout: Duration.seconds(29),
      environment: {
        SENDS_DLQ_URL: queues.sendsDeadLetters.queueUrl,
        SENDS_FIFO_DLQ_URL: queues.sendsFifoDeadLetters.queueUrl,
        DOORBELL_DLQ_URL: queues.doorbellDeadLetters.queueUrl,
        PUBLISH_DLQ_URL: publish.publishDeadLetters.queueUrl,
        EVENTS_DLQ_URL: events.deadLetters.queueUrl,
        WEBHOOKS_DLQ_URL: webhooks.deadLetters.queueUrl,
        SENDS_QUEUE_URL: queues.sends.queueUrl,
        SENDS_FIFO_QUEUE_URL: queues.sendsFifo.queueUrl,
        PUBLISH_RETRY_QUEUE_URL: publish.publishRetries.queueUrl,
        EVENTS_RETRY_QUEUE_URL: events.retries.queueUrl,
        WEBHOOKS_QUEUE_URL: webhooks.queue.queueUrl,
        ...doorbells,
      },
    })
    deadLetters.addToRolePolicy(
      new PolicyStatement({
        actions: ['GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage'].map(
          (action) => `sqs:${action}`,
        ),
        resources: [
          queues.sendsDeadLetters,
          queues.sendsFifoDeadLetters,
          queues.doorbellDeadLetters,
          publish.publishDeadLetters,
          events.deadLetters,
          webhooks.deadLetters,
        ].map((queue) => queue.queueArn),
      }),
    )
    deadLetters.allowSend(
      ...[
        queues.sends,
        queues.sendsFifo,
        publish.publishRetries,
        events.retries,
        webhooks.queue,
        ...queues.partitions,
      ].map((queue) => queue.queueArn),
    )

    const fleet = new Handler(this, 'Fleet', {
      handler: 'http/fleet',
      settings,
      environment: { FLEET_TABLE: tables.fleet.tableName },
    })
    fleet.allowItems(tables.fleet, ['worker', 'partition'], 'Query')

    const deadLetterQueues = [
      queues.sendsDeadLetters,
      queues.sendsFifoDeadLetters,
      queues.doorbellDeadLetters,
      publish.publishDeadLetters,
      events.deadLetters,
      webhooks.deadLetters,
    ]
    const health = new Handler(this, 'Health', {
      handler: 'http/health',
      settings,
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        FLEET_TABLE: tables.fleet.tableName,
        PARTITION_COUNT: String(settings.partitions),
        VERSION: version,
        SENDS_DLQ_URL: queues.sendsDeadLetters.queueUrl,
        SENDS_FIFO_DLQ_URL: queues.sendsFifoDeadLetters.queueUrl,
        DOORBELL_DLQ_URL: queues.doorbellDeadLetters.queueUrl,
        PUBLISH_DLQ_URL: publish.publishDeadLetters.queueUrl,
        EVENTS_DLQ_URL: events.deadLetters.queueUrl,
        WEBHOOKS_DLQ_URL: webhooks.deadLetters.queueUrl,
      },
    })
    for (const table of [tables.accounts, tables.connections, tables.messages]) {
      health.allowItems(table, ['health'], 'GetItem')
    }
    health.allowItems(tables.fleet, ['worker', 'partition'], 'Query')
    health.addToRolePolicy(
      new PolicyStatement({
        actions: ['sqs:GetQueueAttributes'],
        resources: deadLetterQueues.map((queue) => queue.queueArn),
      }),
    )

    const open = new Handler(this, 'Public', {
      handler: 'http/public',
      settings,
      environment: {},
    })

    const functions = {
      connections,
      messages,
      media,
      operations,
      'live-tickets': liveTickets,
      account,
      admin,
      imports,
      'dead-letters': deadLetters,
      fleet,
      webhooks: webhooks.http,
      health,
      public: open,
    }

    // The middlewares of every one of them write the audit log, where a call of theirs belongs into it.
    for (const [name, fn] of Object.entries(functions)) {
      fn.addEnvironment('ACCOUNTS_TABLE', tables.accounts.tableName)
      if (!routeList.some((route) => route.function === name && isAudited(route))) continue
      fn.allowItems(tables.accounts, ['audit#*'], 'PutItem')
    }

    const api = new HttpApi(this, 'HttpApi', {
      apiName: `holdfast-${settings.stage}`,
      description: 'Holdfast REST API',
      createDefaultStage: false,
      corsPreflight: {
        allowOrigins: [...settings.corsOrigins],
        allowMethods: [
          CorsHttpMethod.GET,
          CorsHttpMethod.POST,
          CorsHttpMethod.PUT,
          CorsHttpMethod.PATCH,
          CorsHttpMethod.DELETE,
        ],
        allowHeaders: [
          'content-type',
          'accept',
          'x-api-key',
          'idempotency-key',
          'if-match',
          'prefer',
          ...(settings.signIn ? ['authorization'] : []),
        ],
        exposeHeaders: ['retry-after', 'etag', 'location', 'preference-applied', 'x-request-id'],
        maxAge: Duration.hours(1),
      },
    })
    const apiKeyAuthorizer = new HttpLambdaAuthorizer('ApiKey', authorizer, {
      authorizerName: 'api-key',
      // No identity source and no cache: API Gateway's own 401 has a fixed body, ours is a problem document (decisions.md).
      identitySource: [],
      resultsCacheTtl: Duration.seconds(0),
      responseTypes: [HttpLambdaResponseType.SIMPLE],
    })
    const integrations = Object.fromEntries(
      Object.entries(functions).map(([name, fn]) => [name, new Integration(`${name}-integration`, fn)]),
    )
    for (const fn of Object.values(functions)) {
      fn.addPermission('HttpApi', {
        principal: new ServicePrincipal('apigateway.amazonaws.com'),
        sourceArn: Stack.of(this).formatArn({ service: 'execute-api', resource: api.apiId, resourceName: '*/*' }),
      })
    }
    const integrationOf = (name: string): HttpLambdaIntegration => {
      const integration = integrations[name]
      if (!integration)
        throw new Error(`shared/api/routes.ts names function "${name}", which infra/rest-api.ts does not have`)
      return integration
    }
    for (const route of httpRoutes) {
      const added = new HttpRoute(this, `${route.method} ${route.path}`, {
        httpApi: api,
        routeKey: HttpRouteKey.with(route.path, route.method as HttpMethod),
        integration: integrationOf(route.function),
        authorizer: route.auth === 'none' ? new HttpNoneAuthorizer() : apiKeyAuthorizer,
      })
      if (route.auth === 'none') acknowledgeOpen(added)
    }
    // The default route takes every method, also the question of a browser before a call, which API Gateway would answer itself.
    acknowledgeOpen(
      new HttpRoute(this, 'Preflight', {
        httpApi: api,
        routeKey: HttpRouteKey.with('/{proxy+}', 'OPTIONS' as HttpMethod),
        integration: integrationOf('public'),
        authorizer: new HttpNoneAuthorizer(),
      }),
    )
    acknowledgeOpen(
      new HttpRoute(this, 'Default', {
        httpApi: api,
        routeKey: HttpRouteKey.DEFAULT,
        integration: integrationOf('public'),
        authorizer: new HttpNoneAuthorizer(),
      }),
    )

    const accessLogs = new LogGroup(this, 'AccessLogs', {
      retention: logRetention(settings),
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const stage = new HttpStage(this, 'Stage', {
      httpApi: api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: 500, burstLimit: 1000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: '$context.requestId',
            time: '$context.requestTime',
            routeKey: '$context.routeKey',
            status: '$context.status',
            latencyMs: '$context.responseLatency',
            sourceIp: '$context.identity.sourceIp',
          }),
        ),
      },
    })
    this.url = stage.url
    const domain = settings.domains?.httpApi
    if (domain === undefined) return
    new ApiDomain(this, 'Domain', { api, stage, domain, zone: settings.domains?.hostedZone })
    this.url = `https://${domain.name}/`
  }
}

/**
 * Without the permissions that the CDK makes for each route: they are by path, so that those of two methods allow the same, and
 * the default route's allows what all others do. Each function has one permission instead, for this API.
 */
class Integration extends HttpLambdaIntegration {
  protected override completeBind(): void {}
}

function acknowledgeOpen(route: HttpRoute): void {
  acknowledge(
    route,
    'AwsSolutions-APIG4',
    'The API description and the 404 answer hold nothing of any tenant and are open to everybody.',
  )
}
