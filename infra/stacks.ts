import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { StringParameter } from 'aws-cdk-lib/aws-ssm'
import type { Construct } from 'constructs'
import { Alarms, deadLetterAlarms, eventAlarms, functionAlarms, productAlarms } from './alarms.ts'
import { Connector } from './connector.ts'
import { Console } from './console.ts'
import { ProductDashboard } from './dashboard.ts'
import { Events } from './events.ts'
import { LiveApi } from './live-api.ts'
import { MediaEnd } from './media-end.ts'
import { Queues } from './queues.ts'
import { RestApi } from './rest-api.ts'
import { Sends } from './sends.ts'
import type { Settings } from './settings.ts'
import { Storage } from './storage.ts'
import { Watchdogs } from './watchdogs.ts'
import { Webhooks } from './webhooks.ts'

/** What callers need, as an output for people and as a parameter for other stacks. */
function publish(
  stack: Stack,
  settings: Settings,
  name: string,
  parameter: string,
  value: string,
  description: string,
) {
  new CfnOutput(stack, name, { value, description })
  new StringParameter(stack, `${name}Parameter`, {
    parameterName: `/holdfast/${settings.stage}/${parameter}`,
    stringValue: value,
    description,
  })
}

export interface StatefulStackProps {
  readonly settings: Settings
  /** Of the caller's own app; goes before the settings. */
  readonly alarmTopic?: ITopic | undefined
}

export class StatefulStack extends Stack {
  readonly storage: Storage
  readonly queues: Queues
  readonly alarmTopic: ITopic | undefined
  /** Where every event leaves. It outlives the functions that feed it: rules of others hang on it. */
  readonly bus: EventBus

  constructor(scope: Construct, id: string, { settings, alarmTopic }: StatefulStackProps, props?: StackProps) {
    super(scope, id, {
      description: 'Holdfast: tables, auth bucket, queues, admin key',
      // What is kept when the stack goes is better kept where it is.
      terminationProtection: settings.dataRemoval === 'retain',
      ...props,
    })
    this.storage = new Storage(this, 'Storage', settings)
    this.queues = new Queues(this, 'Queues', settings)
    this.alarmTopic = alarmTopic ?? alarmTopicOf(this, settings)
    this.bus = new EventBus(this, 'Bus', {
      eventBusName: `holdfast-${settings.stage}`,
      description: 'Events of Holdfast',
    })
    const { sends, sendsFifo } = this.queues
    publish(
      this,
      settings,
      'EventBusName',
      'event-bus-name',
      this.bus.eventBusName,
      'Subscribe by rule: docs/events.md',
    )
    publish(this, settings, 'EventBusArn', 'event-bus-arn', this.bus.eventBusArn, 'The same as an ARN')
    publish(this, settings, 'SendsQueueUrl', 'sends-queue-url', sends.queueUrl, 'Post sends here')
    publish(
      this,
      settings,
      'SendsQueueArn',
      'sends-queue-arn',
      sends.queueArn,
      'Grant sqs:SendMessage on it to post sends',
    )
    publish(
      this,
      settings,
      'SendsFifoQueueUrl',
      'sends-fifo-queue-url',
      sendsFifo.queueUrl,
      'Post sends here, in order',
    )
    publish(this, settings, 'SendsFifoQueueArn', 'sends-fifo-queue-arn', sendsFifo.queueArn, 'The same as an ARN')
    publish(
      this,
      settings,
      'SendsDeadLettersUrl',
      'sends-dead-letters-url',
      this.queues.sendsDeadLetters.queueUrl,
      'What the sends queue could not accept, with the reason as an attribute',
    )
    publish(
      this,
      settings,
      'Stores',
      'stores',
      this.toJsonString({
        tables: Object.fromEntries(Object.entries(this.storage.tables).map(([name, table]) => [name, table.tableName])),
        authBucket: this.storage.authBucket.bucketName,
      }),
      'Names of tables and of the auth bucket, for `npm run restore`',
    )
    publish(
      this,
      settings,
      'SendsFifoDeadLettersUrl',
      'sends-fifo-dead-letters-url',
      this.queues.sendsFifoDeadLetters.queueUrl,
      'What the FIFO sends queue could not accept, with the reason as an attribute',
    )
    publish(
      this,
      settings,
      'AdminApiKeySecretArn',
      'admin-api-key-secret-arn',
      this.storage.adminApiKey.secretArn,
      'Secrets Manager secret that holds the admin key',
    )
  }
}

export interface UsesStateful {
  readonly stateful: StatefulStack
  readonly settings: Settings
}

export class ControlPlaneStack extends Stack {
  readonly httpApiUrl: string
  readonly liveApiUrl: string
  readonly consoleUrl: string

  constructor(scope: Construct, id: string, { stateful, settings }: UsesStateful, props?: StackProps) {
    super(scope, id, { description: 'Holdfast: REST API, live API, functions', ...props })
    const { storage, queues } = stateful
    const live = new LiveApi(this, 'Live', { settings, storage })
    const webhooks = new Webhooks(this, 'Webhooks', { settings, storage })
    const events = new Events(this, 'Events', { settings, storage, bus: stateful.bus, webhooks })
    const rest = new RestApi(this, 'Rest', { settings, storage, queues, publish: live, live, events, webhooks })
    const pages = new Console(this, 'Console', { settings, storage, httpUrl: rest.url, liveUrl: live.url })
    new Sends(this, 'Sends', { settings, storage, queues })
    new MediaEnd(this, 'Media', { settings, storage })
    new Watchdogs(this, 'Watchdogs', { settings, storage, queues })
    const deadLetters = {
      sends: queues.sendsDeadLetters,
      'sends-fifo': queues.sendsFifoDeadLetters,
      doorbells: queues.doorbellDeadLetters,
      publish: live.publishDeadLetters,
      events: events.deadLetters,
      webhooks: webhooks.deadLetters,
    }
    const alarms = new Alarms(this, 'Alarms', { settings, topic: stateful.alarmTopic })
    deadLetterAlarms(alarms, deadLetters)
    functionAlarms(alarms, this, 'function-errors')
    productAlarms(alarms, settings)
    eventAlarms(alarms, settings, events.readers)
    new ProductDashboard(this, 'Dashboard', { settings, deadLetters })
    this.httpApiUrl = rest.url
    this.liveApiUrl = live.url
    this.consoleUrl = pages.url
    publish(this, settings, 'ConsoleUrl', 'console-url', pages.url, 'The web console')
    publish(this, settings, 'HttpApiUrl', 'http-api-url', rest.url, 'REST API')
    publish(this, settings, 'LiveApiUrl', 'live-api-url', live.url, 'WebSocket API: connect with ?ticket=')
  }
}

export interface ConnectorStackProps extends UsesStateful {
  /** Of the caller's own app; goes before the settings. */
  readonly vpc?: IVpc | undefined
}

export class ConnectorStack extends Stack {
  constructor(scope: Construct, id: string, { stateful, settings, vpc }: ConnectorStackProps, props?: StackProps) {
    super(scope, id, { description: 'Holdfast: the service that holds the WhatsApp sockets', ...props })
    new Connector(this, 'Connector', {
      settings,
      storage: stateful.storage,
      queues: stateful.queues,
      alarms: new Alarms(this, 'Alarms', { settings, topic: stateful.alarmTopic }),
      vpc,
    })
  }
}

function alarmTopicOf(scope: Construct, { alarmEmail, alarmTopicArn }: Settings): ITopic | undefined {
  if (alarmTopicArn !== undefined) return Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopicArn)
  if (alarmEmail === undefined) return undefined
  const topic = new Topic(scope, 'AlarmTopic', { displayName: 'Holdfast alarms', enforceSSL: true })
  topic.addSubscription(new EmailSubscription(alarmEmail))
  return topic
}
