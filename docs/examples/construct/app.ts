/** A CDK app of its own with Holdfast in it: a function that sends, a rule that sends, a queue that hears of what came in. */
import { join } from 'node:path'
import { Holdfast } from '@holdfast/construct'
import { App, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events'
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

export class ShopStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props)
    const whatsapp = new Holdfast(this, 'WhatsApp', { stage: 'shop', workers: 2, logRetentionDays: 90 })

    // A function that posts sends: the permission is one line.
    const orders = new LambdaFunction(this, 'Orders', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromAsset(join(import.meta.dirname, 'orders')),
      environment: { SENDS_QUEUE_URL: whatsapp.sendsQueue.queueUrl },
    })
    whatsapp.grantSend(orders)

    // EventBridge posts by itself, since rules of this account may.
    whatsapp.grantSend(new ServicePrincipal('events.amazonaws.com'))
    new Rule(this, 'Morning', {
      schedule: Schedule.cron({ hour: '8', minute: '0' }),
      targets: [
        new SqsQueue(whatsapp.sendsQueue, {
          message: RuleTargetInput.fromObject({
            version: 1,
            businessProfileId: 'bp_00000000000000000000',
            connectionId: 'con_00000000000000000000',
            to: '+94714515253',
            type: 'text',
            text: { body: 'Good morning! We open at nine.' },
          }),
        }),
      ],
    })

    // What comes in, for whoever reads it.
    const inbox = new Queue(this, 'Inbox', { retentionPeriod: Duration.days(4), enforceSSL: true })
    new Rule(this, 'Received', {
      eventBus: whatsapp.eventBus,
      eventPattern: { source: ['holdfast'], detailType: ['message-received'] },
      targets: [new SqsQueue(inbox)],
    })

    new CfnOutput(this, 'HoldfastUrl', { value: whatsapp.httpApiUrl })
    new CfnOutput(this, 'Console', { value: whatsapp.consoleUrl })
    new CfnOutput(this, 'AdminKeySecret', { value: whatsapp.adminKeySecret.secretArn })
  }
}

if (import.meta.main) {
  const app = new App()
  new ShopStack(app, 'Shop')
  app.synth()
}
