import { Aws, type CfnElement, Duration, Stack } from 'aws-cdk-lib'
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2'
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { DynamoEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { ApiDomain } from './domains.ts'
import { givenUpTo, Handler } from './function.ts'
import { failureQueue } from './queues.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'

export interface LiveApiProps {
  readonly settings: Settings
  readonly storage: Storage
}

const stageName = 'live'

/** Browsers' way to see changes: a WebSocket API, fed by the streams of the tables. */
export class LiveApi extends Construct {
  /** `wss://…/live`, or a name of one's own */
  readonly url: string
  readonly publishDeadLetters: Queue
  readonly publishRetries: Queue

  constructor(scope: Construct, id: string, { settings, storage }: LiveApiProps) {
    super(scope, id)
    const { tables } = storage

    const connect = new Handler(this, 'Connect', {
      handler: 'live/connect',
      settings,
      environment: { LIVE_TABLE: tables.live.tableName },
    })
    connect.allowTable(tables.live, 'GetItem', 'PutItem', 'DeleteItem')

    const disconnect = new Handler(this, 'Disconnect', {
      handler: 'live/disconnect',
      settings,
      environment: { LIVE_TABLE: tables.live.tableName },
    })
    disconnect.allowTable(tables.live, 'GetItem', 'DeleteItem')

    const message = new Handler(this, 'Message', {
      handler: 'live/message',
      settings,
      environment: { LIVE_TABLE: tables.live.tableName, CONNECTIONS_TABLE: tables.connections.tableName },
    })
    message.allowTable(tables.live, 'GetItem', 'UpdateItem')
    message.allowTable(tables.connections, 'GetItem')

    // One function answers whatever a client says, so no message needs a route of its own.
    const api = new WebSocketApi(this, 'WebSocketApi', {
      apiName: `holdfast-live-${settings.stage}`,
      description: 'Holdfast live API',
      routeSelectionExpression: '$request.body.action',
      connectRouteOptions: { integration: new WebSocketLambdaIntegration('connect-integration', connect) },
      disconnectRouteOptions: { integration: new WebSocketLambdaIntegration('disconnect-integration', disconnect) },
      defaultRouteOptions: {
        integration: new WebSocketLambdaIntegration('default-integration', message),
        returnResponse: true,
      },
    })
    acknowledge(
      api,
      'AwsSolutions-APIG4',
      '$connect spends a single-use ticket in its function; API Gateway lets no frame through before it has answered.',
    )

    const stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: api,
      stageName,
      autoDeploy: true,
      throttle: { rateLimit: 1000, burstLimit: 2000 },
    })
    acknowledge(
      stage,
      'AwsSolutions-APIG1',
      'WebSocket access logs need an account-wide CloudWatch role that this stack must not own; the functions log every connect and disconnect without tickets.',
    )
    const domain = settings.domains?.liveApi
    this.url = domain === undefined ? stage.url : `wss://${domain.name}`
    if (domain !== undefined) {
      new ApiDomain(this, 'Domain', { api, stage, domain, zone: settings.domains?.hostedZone })
    }

    // ── Changes to browsers ───────────────────────────────────────────────────────────────────────────────────────────
    const deadLetters = failureQueue(this, 'PublishDeadLetters')
    this.publishDeadLetters = deadLetters
    const publishTimeout = Duration.seconds(30)
    const retries = new Queue(this, 'PublishRetries', {
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(6 * publishTimeout.toSeconds()),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
    })

    this.publishRetries = retries

    const region = Stack.of(this).region
    const sockets = `arn:${Aws.PARTITION}:execute-api:${region}:${Aws.ACCOUNT_ID}:${api.apiId}/${stageName}`
    const apiLogicalId = Stack.of(this).getLogicalId(api.node.defaultChild as CfnElement)
    const publisher = (name: string, handler: string, ...ofLive: ('GetItem' | 'PutItem')[]) => {
      const fn = new Handler(this, name, {
        handler,
        settings,
        timeout: publishTimeout,
        memoryMiB: 1024,
        environment: {
          LIVE_TABLE: tables.live.tableName,
          LIVE_CALLBACK_URL: stage.callbackUrl,
        },
      })
      fn.allowTable(tables.live, 'Query', 'DeleteItem', ...ofLive)
      const { role } = fn
      if (role === undefined) throw new Error(`${name} has no role`)
      fn.addToRolePolicy(
        new PolicyStatement({
          actions: ['execute-api:ManageConnections'],
          resources: [`${sockets}/POST/@connections/*`, `${sockets}/DELETE/@connections/*`],
        }),
      )
      const here = `<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${apiLogicalId}>/${stageName}`
      for (const method of ['POST', 'DELETE']) {
        acknowledge(
          role,
          `AwsSolutions-IAM5[Resource::arn:${here}/${method}/@connections/*]`,
          'Sockets have no names before they exist: posting to the sockets of this one stage needs `@connections/*`.',
        )
      }
      return fn
    }

    /** A change that could not be delivered to one socket is tried again by itself and holds up no other. */
    const retriesBy = (fn: Handler) => {
      fn.addEnvironment('PUBLISH_RETRY_QUEUE_URL', retries.queueUrl)
      fn.allowSend(retries.queueArn)
    }

    const stream = {
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      bisectBatchOnError: true,
      retryAttempts: 10,
      maxRecordAge: Duration.hours(1),
      reportBatchItemFailures: true,
      onFailure: givenUpTo(deadLetters),
    }

    const publishConnections = publisher('PublishConnections', 'streams/publish-connections')
    retriesBy(publishConnections)
    // Of many changes of a connection a batch tells the last one: what is behind catches up by large batches. Their frames
    // are as many as connections changed, which is a few posts to each socket.
    publishConnections.addEventSource(new DynamoEventSource(tables.connections, { ...stream, batchSize: 1000 }))

    // What changed is noted for clients that come back.
    const publishMessages = publisher('PublishMessages', 'streams/publish-messages', 'PutItem')
    retriesBy(publishMessages)
    publishMessages.addEventSource(
      new DynamoEventSource(tables.messages, {
        ...stream,
        filters: [
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: { NewImage: { direction: { S: FilterRule.or('inbound', 'outbound') } } },
          }),
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: {
              Keys: { key: { S: FilterRule.beginsWith('operation#') } },
              NewImage: { status: { S: FilterRule.or('succeeded', 'failed') } },
            },
          }),
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: { Keys: { key: { S: FilterRule.beginsWith('presence#') } } },
          }),
        ],
      }),
    )

    const snapshot = publisher('Snapshot', 'streams/snapshot', 'GetItem')
    snapshot.addEnvironment('CONNECTIONS_TABLE', tables.connections.tableName)
    snapshot.allowTable(tables.connections, 'Query', 'GetItem')
    snapshot.addEnvironment('MESSAGES_TABLE', tables.messages.tableName)
    snapshot.allowTable(tables.messages, 'BatchGetItem')
    snapshot.addEventSource(
      new DynamoEventSource(tables.live, {
        ...stream,
        // A socket that cannot be posted to yet is tried again, by its function, for 30 seconds. However late, whoever is still
        // there wants a snapshot: where thousands come back at once, the last of them wait.
        retryAttempts: 30,
        parallelizationFactor: 10,
        filters: [
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: { Keys: { pk: { S: FilterRule.beginsWith('profile#') } } },
          }),
        ],
      }),
    )

    const publishRetry = publisher('PublishRetry', 'queues/publish-retry', 'PutItem')
    publishRetry.consume(retries, { batchSize: 10 })
  }
}
