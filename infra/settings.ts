import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { z } from 'zod'
import { type DomainsSettings, domainsSchema } from './domains.ts'
import { type SignInSettings, signInSchema } from './sign-in.ts'

const retentionByDays: Readonly<Record<number, RetentionDays>> = {
  7: RetentionDays.ONE_WEEK,
  30: RetentionDays.ONE_MONTH,
  90: RetentionDays.THREE_MONTHS,
  365: RetentionDays.ONE_YEAR,
}

export type NetworkSetting =
  | { readonly kind: 'public' }
  | { readonly kind: 'private' }
  | { readonly kind: 'existing'; readonly vpcId: string }

/** What may be set: in cdk.json for the app of this repository, as props of the construct elsewhere. */
export interface HoldfastSettings {
  /**
   * Names the stacks and everything that must have a name of its own in the account: lower-case letters, digits and dashes.
   * @default 'dev'
   */
  readonly stage?: string
  /**
   * How many slices the connections are cut into: the upper bound of useful workers. May be raised later, never lowered.
   * @default 16
   */
  readonly partitions?: number
  /**
   * Connector tasks that run at rest.
   * @default 2
   */
  readonly workers?: number
  /**
   * Upper bound of scaling. The same as `workers`: no scaling.
   * @default as many again, at most one per partition
   */
  readonly workersMax?: number
  /**
   * `public` (no NAT), `private` (NAT and endpoints), or the id of an existing VPC, `vpc-…`.
   * @default 'public'
   */
  readonly network?: string
  /** Gets a mail for every alarm, once it has confirmed the subscription. */
  readonly alarmEmail?: string
  /** An existing SNS topic for the alarms instead. */
  readonly alarmTopicArn?: string
  /**
   * Connections that one worker accepts.
   * @default 1000
   */
  readonly maxConnectionsPerWorker?: number
  /**
   * CPU units of a worker, as Fargate counts them.
   * @default 1024
   */
  readonly workerCpu?: number
  /** @default 2048 */
  readonly workerMemoryMiB?: number
  /**
   * Origins of browsers that may call the REST API: a list, or text with commas.
   * @default ['*']
   */
  readonly corsOrigins?: readonly string[] | string
  /**
   * 7, 30, 90 or 365.
   * @default 30
   */
  readonly logRetentionDays?: number
  /**
   * `retain` keeps tables, buckets and keys when the stack is deleted. Losing them costs every user a new scan.
   * @default 'retain'
   */
  readonly dataRemoval?: 'retain' | 'destroy'
  /**
   * Calls a second of one API key, where its business profile has no limits of its own.
   * @default 100
   */
  readonly requestsPerSecond?: number
  /**
   * Sends among them.
   * @default 50
   */
  readonly sendsPerSecond?: number
  /**
   * Webhook calls that run at the same time. One endpoint gets at most ten of them.
   * @default 50
   */
  readonly webhookConcurrency?: number
  /**
   * How long message rows are kept, where their business profile says nothing else.
   * @default 90
   */
  readonly messageRetentionDays?: number
  /**
   * How long media are kept at most: uploaded ones, and those of received messages. A business profile may shorten it.
   * @default 30
   */
  readonly mediaRetentionDays?: number
  /** Names of one's own for the APIs and the console. */
  readonly domains?: DomainsSettings
  /** An OpenID Connect provider that people sign in by. Absent: the console takes API keys. */
  readonly signIn?: SignInSettings
  /**
   * Traces calls by X-Ray, through the functions and the connector. Costs nothing while it is off.
   * @default false
   */
  readonly tracing?: boolean
}

const shape = {
  stage: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,15}$/, 'lower-case letters, digits and dashes, at most 16')
    .default('dev'),
  partitions: z.coerce.number().int().min(1).max(128).default(16),
  workers: z.coerce.number().int().min(1).max(100).default(2),
  workersMax: z.coerce.number().int().min(1).max(128).optional(),
  network: z
    .string()
    .regex(/^(public|private|vpc-[0-9a-f]+)$/, '"public", "private" or the id of a VPC')
    .default('public')
    .transform(
      (text): NetworkSetting =>
        text === 'public' || text === 'private' ? { kind: text } : { kind: 'existing', vpcId: text },
    ),
  alarmEmail: z.email().optional(),
  alarmTopicArn: z.string().startsWith('arn:').optional(),
  maxConnectionsPerWorker: z.coerce.number().int().min(1).max(5000).default(1000),
  workerCpu: z.coerce.number().int().default(1024),
  workerMemoryMiB: z.coerce.number().int().default(2048),
  corsOrigins: z.preprocess((v) => (typeof v === 'string' ? v.split(',') : v), z.array(z.string()).default(['*'])),
  logRetentionDays: z.coerce
    .number()
    .refine((days) => days in retentionByDays, 'one of 7, 30, 90, 365')
    .default(30),
  dataRemoval: z.enum(['retain', 'destroy']).default('retain'),
  requestsPerSecond: z.coerce.number().int().min(1).max(10_000).default(100),
  sendsPerSecond: z.coerce.number().int().min(1).max(10_000).default(50),
  webhookConcurrency: z.coerce.number().int().min(2).max(1000).default(50),
  messageRetentionDays: z.coerce.number().int().min(1).max(3650).default(90),
  mediaRetentionDays: z.coerce.number().int().min(1).max(3650).default(30),
  domains: domainsSchema.optional(),
  signIn: signInSchema.optional(),
  tracing: z.boolean().default(false),
} satisfies Record<keyof HoldfastSettings, z.ZodType>

export const settingNames: readonly string[] = Object.keys(shape)

const schema = z
  .strictObject(shape)
  .refine((s) => s.stage !== 'production' || s.dataRemoval === 'retain', {
    path: ['dataRemoval'],
    message: 'production keeps its data: dataRemoval must be retain',
  })
  .refine((s) => s.alarmEmail === undefined || s.alarmTopicArn === undefined, {
    path: ['alarmTopicArn'],
    message: 'either alarmEmail or alarmTopicArn',
  })
  .refine((s) => s.workers <= s.partitions, {
    path: ['workers'],
    message: 'a worker without a partition has nothing to do: at most as many as partitions',
  })
  .refine((s) => s.workersMax === undefined || (s.workersMax >= s.workers && s.workersMax <= s.partitions), {
    path: ['workersMax'],
    message: 'at least workers, at most partitions',
  })
  .refine((s) => s.stage !== 'production' || s.signIn?.insecureLoopback !== true, {
    path: ['signIn', 'insecureLoopback'],
    message: 'is for tests',
  })
  .transform((s) => ({ ...s, workersMax: s.workersMax ?? Math.min(2 * s.workers, s.partitions) }))

export type Settings = z.infer<typeof schema>

/** Throws an error that names each wrong setting and what was expected. */
export function parseSettings(input: unknown): Settings {
  const result = schema.safeParse(input ?? {})
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'settings'}: ${issue.message}`)
  throw new Error(`Holdfast settings are not valid: ${problems.join('; ')}`)
}

export function logRetention(settings: Settings): RetentionDays {
  const retention = retentionByDays[settings.logRetentionDays]
  if (retention === undefined) throw new Error(`logRetentionDays: ${settings.logRetentionDays} is not a retention`)
  return retention
}
