/**
 * Words
 * - business profile: a tenant; its API keys name it
 * - connection: one linked WhatsApp device of a business profile
 * - stage: one deployment of Holdfast, the name of everything that must have one of its own in an account and region
 * - sends queue: where other AWS services post messages to be sent
 */
import { type Environment, Stack } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { IEventBus } from 'aws-cdk-lib/aws-events'
import { Grant, type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { type HoldfastSettings, parseSettings, type Settings } from './settings.ts'
import { ConnectorStack, ControlPlaneStack, StatefulStack } from './stacks.ts'

export type { HoldfastSettings, Settings } from './settings.ts'

export interface HoldfastProps extends HoldfastSettings {
  /** Account and region of the stacks. Default: those of the stack or stage that the construct is made in. */
  readonly env?: Environment
  /** Where the workers run, in its private subnets with egress. Goes before the setting `network`. */
  readonly vpc?: IVpc
  /** Hears of every alarm. Goes before the settings `alarmEmail` and `alarmTopicArn`. */
  readonly alarmTopic?: ITopic
}

/**
 * A WhatsApp gateway in an app of yours.
 *
 * ```ts
 * const whatsapp = new Holdfast(this, 'WhatsApp', { stage: 'production' })
 * whatsapp.grantSend(orders)               // a function, a role, or a service: events.amazonaws.com
 * ```
 *
 * It makes three stacks of its own, wherever in the app it stands: `Holdfast-<stage>-Stateful` (tables, buckets, queues, keys:
 * what must be kept), `Holdfast-<stage>-ControlPlane` (APIs and functions) and `Holdfast-<stage>-Connector` (the service that
 * holds the WhatsApp sockets). What you refer to here makes the stacks depend on each other in the right order.
 */
export class Holdfast extends Construct {
  /** As validated, with every default. */
  readonly settings: Settings
  readonly stateful: StatefulStack
  readonly controlPlane: ControlPlaneStack
  readonly connector: ConnectorStack

  /**
   * Sends posted here are accepted in any order. Whoever may post to it is trusted for all business profiles.
   *
   * The queue is referred to, not owned: to let somebody post, call `grantSend`.
   */
  readonly sendsQueue: IQueue
  /** The same, in the order of each message group. */
  readonly sendsFifoQueue: IQueue
  /** Every event of Holdfast: match rules against `source: holdfast`. */
  readonly eventBus: IEventBus
  /** Holds the key of the admin routes, as plain text. */
  readonly adminKeySecret: ISecret
  /** REST API, `https://…`. */
  readonly httpApiUrl: string
  /** WebSocket API, `wss://…`; connect with `?ticket=`. */
  readonly liveApiUrl: string
  /** The web console, `https://…`. */
  readonly consoleUrl: string

  /** @throws an error that names each wrong setting and what was expected */
  constructor(scope: Construct, id: string, props: HoldfastProps = {}) {
    super(scope, id)
    const { env, vpc, alarmTopic, ...given } = props
    const settings = parseSettings(given)
    this.settings = settings
    if (alarmTopic !== undefined && (settings.alarmEmail ?? settings.alarmTopicArn) !== undefined)
      throw new Error('Holdfast settings are not valid: alarmTopic: either it or alarmEmail or alarmTopicArn')

    const place = env ?? environmentOf(scope)
    const stack = (part: string) => ({
      stackName: `Holdfast-${settings.stage}-${part}`,
      ...(place === undefined ? {} : { env: place }),
    })
    this.stateful = new StatefulStack(this, 'Stateful', { settings, alarmTopic }, stack('Stateful'))
    const uses = { stateful: this.stateful, settings }
    this.controlPlane = new ControlPlaneStack(this, 'ControlPlane', uses, stack('ControlPlane'))
    this.connector = new ConnectorStack(this, 'Connector', { ...uses, vpc }, stack('Connector'))

    const { queues, storage, bus } = this.stateful
    // Referred to: what a rule or a topic elsewhere adds to a queue's own policy would make our stack depend on theirs.
    const refer = (name: string, { queueArn, queueUrl, fifo }: Queue) =>
      Queue.fromQueueAttributes(this.stateful, name, { queueArn, queueUrl, fifo })
    this.sendsQueue = refer('SendsQueue', queues.sends)
    this.sendsFifoQueue = refer('SendsFifoQueue', queues.sendsFifo)
    this.adminKeySecret = storage.adminApiKey
    this.eventBus = bus
    this.httpApiUrl = this.controlPlane.httpApiUrl
    this.liveApiUrl = this.controlPlane.liveApiUrl
    this.consoleUrl = this.controlPlane.consoleUrl
  }

  /**
   * Lets somebody post to both sends queues, and nothing else: a role, a function, a user by their own policies; a service
   * (`new ServicePrincipal('events.amazonaws.com')`, `sns.amazonaws.com`) by the queues' policies, for this account's rules and topics only.
   *
   * Who may post is trusted for all business profiles: a message on a queue names the one that it is for.
   */
  grantSend(grantee: IGrantable): Grant {
    const { sends, sendsFifo } = this.stateful.queues
    const { grantPrincipal } = grantee
    if (!(grantPrincipal instanceof ServicePrincipal)) {
      return Grant.addToPrincipal({
        grantee,
        actions: ['sqs:SendMessage'],
        resourceArns: [this.sendsQueue.queueArn, this.sendsFifoQueue.queueArn],
      })
    }
    const actions = ['sqs:SendMessage']
    const conditions = { StringEquals: { 'aws:SourceAccount': this.stateful.account } }
    for (const queue of [sends, sendsFifo]) {
      queue.addToResourcePolicy(
        new PolicyStatement({ principals: [grantPrincipal], actions, resources: [queue.queueArn], conditions }),
      )
    }
    return Grant.drop(grantee, 'granted by the policies of the sends queues')
  }
}

/** Stacks do not inherit the environment of a stack that they stand in. */
function environmentOf(scope: Construct): Environment | undefined {
  const around = scope.node.scopes.find((each) => Stack.isStack(each))
  return around === undefined ? undefined : { account: around.account, region: around.region }
}
