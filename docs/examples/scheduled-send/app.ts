/** A CDK app of its own: every morning EventBridge Scheduler posts a send to Holdfast's sends queue. */
import { App, Stack, type StackProps, TimeZone } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler'
import { StringParameter } from 'aws-cdk-lib/aws-ssm'
import type { Construct } from 'constructs'

export interface ScheduledSendProps extends StackProps {
  /** Stage of the Holdfast deployment in this account and region. */
  readonly holdfastStage: string
  readonly businessProfileId: string
  readonly connectionId: string
  /** E.164. */
  readonly to: string
  readonly text: string
}

export class ScheduledSendStack extends Stack {
  constructor(scope: Construct, id: string, { holdfastStage, ...props }: ScheduledSendProps) {
    super(scope, id, props)
    const parameter = (name: string) =>
      StringParameter.valueForStringParameter(this, `/holdfast/${holdfastStage}/${name}`)
    const queueArn = parameter('sends-queue-arn')

    const role = new Role(this, 'SchedulerRole', { assumedBy: new ServicePrincipal('scheduler.amazonaws.com') })
    role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queueArn] }))

    const { businessProfileId, connectionId, to, text } = props
    new CfnSchedule(this, 'Morning', {
      scheduleExpression: 'cron(0 8 * * ? *)',
      scheduleExpressionTimezone: TimeZone.ASIA_COLOMBO.timezoneName,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: queueArn,
        roleArn: role.roleArn,
        input: JSON.stringify({
          version: 1,
          businessProfileId,
          connectionId,
          to,
          type: 'text',
          text: { body: text },
          // Filled in by the Scheduler: the same for every attempt of one morning.
          idempotencyKey: 'morning-<aws.scheduler.scheduled-time>',
        }),
      },
    })
  }
}

if (import.meta.main) {
  const app = new App()
  new ScheduledSendStack(app, 'ScheduledSend', {
    holdfastStage: 'dev',
    businessProfileId: 'bp_00000000000000000000',
    connectionId: 'con_00000000000000000000',
    to: '+94714515253',
    text: 'Good morning! We open at nine.',
  })
  app.synth()
}
