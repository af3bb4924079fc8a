import { Duration, Names, RemovalPolicy } from 'aws-cdk-lib'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, type IEventSourceDlq, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { handlerCode } from './code.ts'
import { inStatements } from './policy-size.ts'
import { logRetention, type Settings } from './settings.ts'

export interface HandlerProps {
  /** Path below `functions/`, e.g. `http/connections`. Its export is `handler`. */
  readonly handler: string
  readonly settings: Settings
  readonly environment: Readonly<Record<string, string>>
  readonly timeout?: Duration
  readonly memoryMiB?: number
}

/** A Lambda function with a role that may do nothing but write to its own log group; every grant stands beside its use. */
export class Handler extends NodejsFunction {
  constructor(scope: Construct, id: string, props: HandlerProps) {
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: logRetention(props.settings),
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    )
    super(scope, id, {
      code: handlerCode(props.handler),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMiB ?? 512,
      timeout: props.timeout ?? Duration.seconds(15),
      environment: { STAGE: props.settings.stage, ...props.environment },
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: props.settings.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
    })
    if (props.settings.tracing) {
      acknowledge(
        role,
        'AwsSolutions-IAM5[Resource::*]',
        'Traces belong to no resource: xray:PutTraceSegments and PutTelemetryRecords know none.',
      )
    }
  }

  /** Narrow on purpose: the actions named, on the table itself. */
  allowTable(table: TableV2, ...actions: string[]): void {
    this.addToRolePolicy(
      new PolicyStatement({ actions: actions.map((a) => `dynamodb:${a}`), resources: [table.tableArn] }),
    )
  }

  /** Narrower still: only items whose partition key is like one of `keys` (`*` stands for any text). */
  allowItems(table: TableV2, keys: readonly string[], ...actions: string[]): void {
    this.addToRolePolicy(
      new PolicyStatement({
        actions: actions.map((a) => `dynamodb:${a}`),
        resources: [table.tableArn],
        conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...keys] } },
      }),
    )
  }

  allowIndex(table: TableV2, index: string): void {
    this.addToRolePolicy(
      new PolicyStatement({ actions: ['dynamodb:Query'], resources: [`${table.tableArn}/index/${index}`] }),
    )
  }

  allowSend(...queueArns: string[]): void {
    for (const resources of inStatements(queueArns)) {
      this.addToRolePolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [...resources] }))
    }
  }

  /** Runs for what comes into the queue. Lambda polls with the function's role and needs three actions; the CDK's own event source grants five. */
  consume(queue: Queue, { batchSize, maxConcurrency }: { batchSize: number; maxConcurrency?: number }): void {
    this.addToRolePolicy(
      new PolicyStatement({
        actions: ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'].map((a) => `sqs:${a}`),
        resources: [queue.queueArn],
      }),
    )
    this.addEventSourceMapping(`SqsEventSource:${Names.nodeUniqueId(queue.node)}`, {
      eventSourceArn: queue.queueArn,
      batchSize,
      reportBatchItemFailures: true,
      ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    })
  }
}

/** Where Lambda puts what a stream's mapping gives up, with the function's role, which needs no more than to send. */
export const givenUpTo = (queue: Queue): IEventSourceDlq => ({
  bind(_mapping, fn) {
    fn.addToRolePolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }))
    return { destination: queue.queueArn }
  },
})
