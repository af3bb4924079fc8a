import { z } from 'zod'
import { sampledTrace } from '../shared/domain/trace.ts'
import { targetScopes } from '../shared/net/targets.ts'

/** The template writes it, having checked it; see infra/sign-in.ts. */
const signIn = z.object({
  issuer: z.url({ protocol: /^https?$/ }),
  audience: z.string().min(1),
  businessProfileClaim: z.string().min(1),
  roleClaim: z.string().min(1).optional(),
  roles: z.record(z.string(), z.array(z.string())),
  everyone: z.array(z.string()),
})
/** Whose bearer tokens are taken, and what their claims mean. */
export type SignIn = z.output<typeof signIn>

function json(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' })
    return z.NEVER
  }
}

/**
 * Every environment entry that a function may ask for. A function names those it needs and gets no other. What the template
 * sets has no default here: where it were missing, a setting would be ignored and nobody would know.
 */
const entries = z.object({
  /** Told beside every metric. */
  STAGE: z.string().min(1),
  CONNECTIONS_TABLE: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  FLEET_TABLE: z.string().min(1),
  LIVE_TABLE: z.string().min(1),
  ACCOUNTS_TABLE: z.string().min(1),
  AUTH_TABLE: z.string().min(1),
  AUTH_BUCKET: z.string().min(1),
  /** This and `partition-<n>.fifo` is the URL of partition n's queue. */
  PARTITION_QUEUE_PREFIX: z.url(),
  PARTITION_COUNT: z.coerce.number().int().min(1).max(1024),
  MEDIA_TABLE: z.string().min(1),
  MEDIA_BUCKET: z.string().min(1),
  MEDIA_RETENTION_DAYS: z.coerce.number().int().min(1),
  /** Of Holdfast. */
  VERSION: z.string().min(1),
  SENDS_DLQ_URL: z.url(),
  SENDS_FIFO_DLQ_URL: z.url(),
  DOORBELL_DLQ_URL: z.url(),
  PUBLISH_DLQ_URL: z.url(),
  /** Name of the bus that events leave by. */
  EVENT_BUS: z.string().min(1),
  EVENTS_RETRY_QUEUE_URL: z.url(),
  EVENTS_DLQ_URL: z.url(),
  WEBHOOKS_TABLE: z.string().min(1),
  WEBHOOKS_QUEUE_URL: z.url(),
  WEBHOOKS_DLQ_URL: z.url(),
  WEBHOOKS_KEY_ARN: z.string().startsWith('arn:'),
  /** `any` also reaches this machine and private networks: for local mode and tests. No template sets it. */
  WEBHOOK_TARGETS: z.enum(targetScopes).default('public'),
  WEBHOOK_BACKOFF_BASE_MS: z.coerce.number().int().min(1).default(5_000),
  WEBHOOK_BACKOFF_MAX_MS: z.coerce.number().int().min(1).default(900_000),
  /** How long an event is tried, and how long an endpoint may fail before it is paused. */
  WEBHOOK_GIVE_UP_MS: z.coerce.number().int().min(1).default(86_400_000),
  /** Lanes that call one endpoint at the same time. */
  WEBHOOK_LANES_AT_ONCE: z.coerce.number().int().min(1).max(100).default(10),
  SENDS_QUEUE_URL: z.url(),
  SENDS_FIFO_QUEUE_URL: z.url(),
  PUBLISH_RETRY_QUEUE_URL: z.url(),
  /** Where clients open their sockets. */
  LIVE_URL: z.url({ protocol: /^wss?$/ }),
  /** The WebSocket stage's management endpoint. */
  LIVE_CALLBACK_URL: z.url({ protocol: /^https?$/ }),
  CONSOLE_BUCKET: z.string().min(1),
  ADMIN_API_KEY_SECRET_ARN: z.string().startsWith('arn:'),
  /** Absent: nobody signs in by a provider, and bearer tokens are nothing. */
  SIGN_IN: z.string().transform(json).pipe(signIn).optional(),
  /** Of one key, where its business profile has no limit of its own. */
  REQUESTS_PER_SECOND: z.coerce.number().int().min(1),
  SENDS_PER_SECOND: z.coerce.number().int().min(1),
  MESSAGE_RETENTION_DAYS: z.coerce.number().int().min(1),
  /** Name of the container whose exit code tells that a worker is dead. */
  CONNECTOR_CONTAINER: z.string().min(1),
  /** How long a worker's counter may stand still, in milliseconds: the lease and its margin. */
  WORKER_SILENCE_MS: z.coerce.number().int().min(1).default(14_000),
})
type Entries = z.output<typeof entries>

/**
 * Parsed once, when the function's module loads, `STAGE` with every other: metrics without one would be nobody's.
 *
 * @throws Error that names each entry that is missing or wrong, and what was expected; never its value.
 */
export function configure<Name extends keyof Entries>(...names: readonly Name[]): Pick<Entries, Name> {
  const mask: { [name in keyof Entries]?: true } = Object.fromEntries(['STAGE', ...names].map((name) => [name, true]))
  const result = entries.pick(mask).safeParse(process.env)
  if (result.success) return result.data as unknown as Pick<Entries, Name>
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new Error(`environment is not valid: ${problems.join('; ')}`)
}

const logging = z.object({
  LOG_LEVEL: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT']).default('INFO'),
})
export const logLevel = logging.parse({ LOG_LEVEL: process.env.LOG_LEVEL?.toUpperCase() }).LOG_LEVEL

/** Of the invocation that runs, where it is traced: Lambda sets it anew each time. */
export function currentTrace(): string | undefined {
  return sampledTrace(process.env._X_AMZN_TRACE_ID)
}

/**
 * Told beside every metric. Asked for when the first is written, since code that is used outside of a function writes none.
 *
 * @throws Error where the function has no `STAGE`: its metrics would be nobody's
 */
export function stage(): string {
  const { STAGE } = process.env
  if (STAGE === undefined || STAGE === '') throw new Error('environment is not valid: STAGE is missing')
  return STAGE
}
