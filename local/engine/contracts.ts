/**
 * The seams inside local mode. The template reader (`template/`) turns the synthesized CloudFormation template into these
 * plain specs; the parts that run things (`gateway/`, `mappings/`, `events/`, `functions/`, `containers/`) take only specs.
 *
 * Words
 *   template   the CloudFormation JSON that `cdk synth` wrote, all stacks of the app
 *   spec       what one resource of it says, with every intrinsic resolved
 *   principal  the IAM role that a function or a container runs as; each has an access key id of its own, so that the front
 *              knows from the signature who calls
 *   front      the one HTTP endpoint that all AWS SDK clients talk to (`AWS_ENDPOINT_URL`)
 */

/** What a Lambda invocation came to. An unhandled error, an exit and a timeout are results, never exceptions of ours. */
export type InvokeResult =
  | { readonly kind: 'ok'; readonly payload: unknown }
  | {
      readonly kind: 'error'
      readonly errorType: string
      readonly errorMessage: string
      readonly trace?: readonly string[]
      readonly timedOut: boolean
    }

/** Who invokes, as Lambda's resource policies see it. A function without a matching `AWS::Lambda::Permission` refuses. */
export interface InvokeSource {
  /** e.g. `apigateway.amazonaws.com`, `events.amazonaws.com`; event source mappings need no permission and pass `mapping`. */
  readonly service: 'apigateway.amazonaws.com' | 'events.amazonaws.com' | 'cloudformation.amazonaws.com' | 'mapping'
  /** e.g. `arn:aws:execute-api:REGION:ACCOUNT:APIID/STAGE/GET/connections` */
  readonly sourceArn: string
}

export interface Invoker {
  /** Event is passed as JSON would pass it (deep copied). Waits for a free worker; concurrency is the function's own limit. */
  invoke(functionArn: string, event: unknown, source: InvokeSource): Promise<InvokeResult>
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** How a poller reaches the emulators as the function's own role, so that poll grants are checked too. */
export interface PrincipalClientConfig {
  readonly region: string
  /** The front, e.g. `http://127.0.0.1:4500`. */
  readonly endpoint: string
  readonly credentials: Credentials
}

export interface AuthorizerSpec {
  readonly authorizerId: string
  readonly functionArn: string
  /** `$request.header.X-Api-Key` …; empty when nothing is required before the authorizer runs. */
  readonly identitySources: readonly string[]
  readonly resultTtlSeconds: number
  /** Simple responses (`{ isAuthorized, context }`) or an IAM policy document (payload format 1.0). */
  readonly simpleResponses: boolean
}

export interface HttpRouteSpec {
  /** `GET /connections/{id}`, `ANY /x/{proxy+}` or `$default`. */
  readonly routeKey: string
  readonly functionArn: string
  readonly authorizer?: AuthorizerSpec
  readonly integrationTimeoutMs: number
}

export interface CorsSpec {
  readonly allowOrigins: readonly string[]
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAgeSeconds?: number
}

export interface HttpApiSpec {
  readonly apiId: string
  readonly name: string
  readonly region: string
  readonly account: string
  readonly stageName: string
  readonly routes: readonly HttpRouteSpec[]
  readonly cors?: CorsSpec
}

export interface WebSocketRouteSpec {
  /** `$connect`, `$disconnect`, `$default` or a route key's value such as `subscribe`. */
  readonly routeKey: string
  readonly functionArn: string
  readonly authorizer?: AuthorizerSpec
  /** Whether the route answers the client with the function's response body. */
  readonly returnsResponse: boolean
}

export interface WebSocketApiSpec {
  readonly apiId: string
  readonly name: string
  readonly region: string
  readonly account: string
  readonly stageName: string
  /** e.g. `$request.body.action`. A WebSocket API without one is an error of the template. */
  readonly routeSelectionExpression: string
  readonly routes: readonly WebSocketRouteSpec[]
  /** AWS: 600 s idle, 7,200 s in all. */
  readonly idleTimeoutMs: number
  readonly maxDurationMs: number
}

/** EventBridge patterns and Lambda event source filters share one matcher. */
export type EventPattern = Readonly<Record<string, unknown>>

export interface QueueMappingSpec {
  readonly kind: 'queue'
  readonly mappingId: string
  readonly functionArn: string
  readonly functionTimeoutSeconds: number
  readonly queueUrl: string
  readonly queueArn: string
  readonly fifo: boolean
  readonly batchSize: number
  readonly maxBatchingWindowSeconds: number
  readonly reportBatchItemFailures: boolean
  readonly maxConcurrency: number
  readonly filters: readonly EventPattern[]
  readonly client: PrincipalClientConfig
}

export interface StreamMappingSpec {
  readonly kind: 'stream'
  readonly mappingId: string
  readonly functionArn: string
  readonly tableName: string
  /** The ARN that the emulator itself uses for the stream. */
  readonly streamArn: string
  /** The ARN that records show to the function: as on AWS. */
  readonly eventSourceArn: string
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST'
  readonly batchSize: number
  readonly maxBatchingWindowSeconds: number
  /** -1: until the records expire. */
  readonly maximumRetryAttempts: number
  readonly maximumRecordAgeSeconds: number
  readonly bisectBatchOnFunctionError: boolean
  readonly reportBatchItemFailures: boolean
  readonly parallelizationFactor: number
  readonly filters: readonly EventPattern[]
  /** Queue URL of the on-failure destination. */
  readonly onFailureQueueUrl?: string
  readonly client: PrincipalClientConfig
}

export type RuleTargetSpec =
  | { readonly kind: 'function'; readonly functionArn: string; readonly input?: string }
  | {
      readonly kind: 'queue'
      readonly queueUrl: string
      readonly queueArn: string
      readonly messageGroupId?: string
      readonly input?: string
    }

export interface EventRuleSpec {
  readonly ruleArn: string
  readonly ruleName: string
  /** Name of the bus, `default` for AWS's own. */
  readonly busName: string
  readonly enabled: boolean
  readonly pattern?: EventPattern
  /** `rate(1 minute)`, `cron(…)`. */
  readonly schedule?: string
  readonly targets: readonly RuleTargetSpec[]
}

/** An EventBridge event as it goes over a bus. */
export interface BusEvent {
  readonly version: '0'
  readonly id: string
  readonly 'detail-type': string
  readonly source: string
  readonly account: string
  readonly time: string
  readonly region: string
  readonly resources: readonly string[]
  readonly detail: Readonly<Record<string, unknown>>
}

/** Everything that runs can be stopped; stopping waits for what is in flight. */
export interface Running {
  stop(): Promise<void>
}

/** One line for the person at the terminal; `part` is what a person would call it (`function publish`, `worker 1`). */
export interface EngineLog {
  info(part: string, message: string): void
  warn(part: string, message: string): void
  error(part: string, message: string): void
}
