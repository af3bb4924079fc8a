/**
 * What the template says about the parts that the front, the function pool and the container scheduler run: every
 * intrinsic resolved. The specs of the gateway, the mappings and the rules are in `../contracts.ts`.
 */
import type { EventRuleSpec, HttpApiSpec, WebSocketApiSpec } from '../contracts.ts'
import type { PolicyDocument } from '../iam/policy.ts'

export interface QueueSpec {
  readonly name: string
  readonly url: string
  readonly arn: string
  readonly fifo: boolean
  /** As SQS's CreateQueue takes them; without the redrive policy. */
  readonly attributes: Readonly<Record<string, string>>
  readonly redrive?: { readonly deadLetterQueueName: string; readonly maxReceiveCount: number }
  readonly keyArn?: string
}

export interface KeyAttribute {
  readonly name: string
  readonly type: 'S' | 'N' | 'B'
}

export interface IndexSpec {
  readonly name: string
  readonly kind: 'global' | 'local'
  readonly partitionKey: string
  readonly sortKey?: string
  readonly projection: 'ALL' | 'KEYS_ONLY' | 'INCLUDE'
  readonly nonKeyAttributes: readonly string[]
}

export interface TableSpec {
  readonly name: string
  readonly arn: string
  /** The stream's ARN as on AWS; the emulator has one of its own. */
  readonly streamArn: string
  readonly attributes: readonly KeyAttribute[]
  readonly partitionKey: string
  readonly sortKey?: string
  readonly indexes: readonly IndexSpec[]
  readonly streamView?: 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES'
  readonly ttlAttribute?: string
  readonly keyArn?: string
}

export interface CorsRule {
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly exposed: readonly string[]
}

export interface BucketSpec {
  readonly name: string
  readonly arn: string
  readonly cors: readonly CorsRule[]
  readonly keyArn?: string
}

export interface SecretSpec {
  readonly arn: string
  readonly name: string
  readonly value: SecretValue
  readonly keyArn?: string
}

/** `generate` follows Secrets Manager's GenerateSecretString. */
export type SecretValue =
  | { readonly kind: 'literal'; readonly value: string }
  | {
      readonly kind: 'generate'
      readonly length: number
      readonly alphabet: string
      readonly template?: { readonly json: string; readonly key: string }
    }

export interface ParameterSpec {
  readonly name: string
  readonly arn: string
  readonly type: 'String' | 'StringList'
  readonly value: string
}

export interface RoleSpec {
  readonly arn: string
  readonly name: string
  /** Service principals that may assume it, e.g. `lambda.amazonaws.com`. */
  readonly services: readonly string[]
  readonly policies: readonly PolicyDocument[]
}

export interface FunctionSpec {
  readonly arn: string
  readonly name: string
  /** What a person would call it: the construct's name without the hash. */
  readonly title: string
  readonly directory: string
  /** `index.handler` */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly memoryMb: number
  /** Reserved concurrency; undefined: the pool's own limit. */
  readonly concurrency?: number
  readonly roleArn: string
}

export interface PermissionSpec {
  readonly functionArn: string
  readonly service: string
  readonly sourceArn?: string
}

export interface HealthCheckSpec {
  /** `['CMD', 'node', 'check.js']` or `['CMD-SHELL', '…']` */
  readonly command: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

export interface ContainerSpec {
  readonly name: string
  readonly essential: boolean
  readonly imageTag: string
  readonly entryPoint?: readonly string[]
  readonly command?: readonly string[]
  readonly workingDirectory?: string
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: readonly { readonly name: string; readonly valueFrom: string }[]
  readonly stopTimeoutMs: number
  readonly healthCheck?: HealthCheckSpec
}

export interface TaskDefinitionSpec {
  readonly arn: string
  readonly family: string
  readonly revision: number
  readonly containers: readonly ContainerSpec[]
  readonly taskRoleArn?: string
  readonly executionRoleArn?: string
}

export interface ServiceSpec {
  readonly arn: string
  readonly name: string
  /** What a person would call it: the construct's name without the hash. */
  readonly title: string
  readonly clusterName: string
  readonly clusterArn: string
  readonly desiredCount: number
  readonly taskDefinition: TaskDefinitionSpec
}

export interface DistributionSpec {
  readonly arn: string
  /** `….cloudfront.net`, then names of one's own. */
  readonly domainNames: readonly string[]
  readonly title: string
  readonly bucketName: string
  readonly rootObject: string | undefined
  /** Added to every answer, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
}

export interface ApiDomainSpec {
  readonly name: string
  readonly apiId: string
}

export interface CustomResourceSpec {
  readonly logicalId: string
  /** `Custom::…` */
  readonly type: string
  readonly functionArn: string
  readonly properties: Readonly<Record<string, unknown>>
}

/** A mapping as the template has it; who polls, and the emulator's stream ARN, are added when it starts. */
export interface MappingSpec {
  readonly mappingId: string
  readonly functionArn: string
  readonly eventSourceArn: string
  readonly batchSize: number | undefined
  readonly maxBatchingWindowSeconds: number
  readonly reportBatchItemFailures: boolean
  readonly filters: readonly Readonly<Record<string, unknown>>[]
  readonly maxConcurrency: number | undefined
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST' | undefined
  readonly maximumRetryAttempts: number
  readonly maximumRecordAgeSeconds: number
  readonly bisectBatchOnFunctionError: boolean
  readonly parallelizationFactor: number
  readonly onFailureArn: string | undefined
}

export interface ResourcePolicySpec {
  /** ARN of the queue, bucket, key, secret or table that it belongs to. */
  readonly resourceArn: string
  readonly policy: PolicyDocument
}

export interface Model {
  readonly region: string
  readonly account: string
  readonly queues: readonly QueueSpec[]
  readonly tables: readonly TableSpec[]
  readonly buckets: readonly BucketSpec[]
  readonly keyArns: readonly string[]
  /** Alias name (`alias/x`) to key ARN. */
  readonly keyAliases: Readonly<Record<string, string>>
  readonly secrets: readonly SecretSpec[]
  readonly parameters: readonly ParameterSpec[]
  readonly roles: readonly RoleSpec[]
  readonly resourcePolicies: readonly ResourcePolicySpec[]
  readonly functions: readonly FunctionSpec[]
  readonly permissions: readonly PermissionSpec[]
  readonly mappings: readonly MappingSpec[]
  readonly httpApis: readonly HttpApiSpec[]
  readonly webSocketApis: readonly WebSocketApiSpec[]
  readonly rules: readonly EventRuleSpec[]
  readonly services: readonly ServiceSpec[]
  readonly apiDomains: readonly ApiDomainSpec[]
  readonly distributions: readonly DistributionSpec[]
  readonly customResources: readonly CustomResourceSpec[]
  readonly outputs: Readonly<Record<string, string>>
  /** Resources of types that have nothing to run, with the reason; for `GET /_local/health`. */
  readonly inert: readonly { readonly at: string; readonly type: string; readonly reason: string }[]
}
