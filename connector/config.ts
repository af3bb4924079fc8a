import { z } from 'zod'
import { leaseTermProblems } from '../shared/domain/leases.ts'
import { targetScopes } from '../shared/net/targets.ts'

const text = z.string().min(1)
const wholeMs = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const count = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const share = (fallback: number) => z.coerce.number().min(0).max(1).default(fallback)
/** Set but empty means absent: templates cannot leave an entry out. */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional())

/** The environment of the connector. Milliseconds where the name says MS. What the template sets has no default. */
const schema = z
  .object({
    AWS_REGION: text,
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    /** Told beside every metric. */
    STAGE: text,
    METRICS_MS: wholeMs(60_000),
    /** Tell X-Ray of sends whose calls are traced. */
    TRACING: z.enum(['on', 'off']).default('off'),

    CONNECTIONS_TABLE: text,
    MESSAGES_TABLE: text,
    FLEET_TABLE: text,
    AUTH_TABLE: text,
    AUTH_BUCKET: text,
    PARTITION_QUEUE_PREFIX: z.url(),
    PARTITION_COUNT: z.coerce.number().int().min(1).max(1_024),
    DOORBELL_DLQ_URL: z.url(),
    MESSAGE_RETENTION_DAYS: z.coerce.number().int().positive(),
    MEDIA_TABLE: text,
    MEDIA_BUCKET: text,
    MEDIA_RETENTION_DAYS: z.coerce.number().int().positive(),
    /** Media that move at once. */
    MEDIA_TRANSFERS: count(4),
    /** Where links in sends may lead to. `any`, which reaches private networks, is for local mode and tests. */
    LINK_TARGETS: z.enum(targetScopes).default('public'),

    /** A worker takes no partition that would bring it above. */
    MAX_CONNECTIONS: z.coerce.number().int().positive(),
    LEASE_MS: wholeMs(12_000),
    LEASE_MARGIN_MS: wholeMs(2_000),
    RENEW_MS: wholeMs(3_000),
    /** Orders deployments, as text. Absent: the revision of the ECS task definition, padded with zeros. */
    DEPLOYMENT: optional(text),
    /** What the platform allows between SIGTERM and SIGKILL. */
    STOP_TIMEOUT_MS: wholeMs(120_000),
    /** Bound for finishing, flushing and closing one session. */
    DRAIN_MS: wholeMs(10_000),
    /** Connections a second that change hands when a worker stops. */
    HANDOVER_RATE: count(60),
    DOORBELL_WAIT_SECONDS: z.coerce.number().int().min(1).max(20).default(5),
    REFRESH_MS: wholeMs(60_000),

    LOGIN_CONCURRENCY: count(40),
    /** Logins a second. */
    LOGIN_RATE: count(250),
    BACKOFF_BASE_MS: wholeMs(5_000),
    BACKOFF_ATTEMPTS_MAX: count(5),
    /** 0 gives the exact series. */
    BACKOFF_JITTER: share(0.2),
    STABLE_AFTER_MS: wholeMs(60_000),
    SLOW_LANE_MS: wholeMs(900_000),
    WAKE_GAP_MS: wholeMs(60_000),
    /** While connections are down for good, how often the worker asks whether WhatsApp can be reached. */
    REACH_INTERVAL_MS: wholeMs(15_000),
    OPEN_TIMEOUT_MS: wholeMs(20_000),
    /** How long a worker must have lived before it opens a connection that two workers in a row did not survive. */
    PROVEN_AFTER_MS: wholeMs(30_000),
    /** How long a connection is not opened that three in a row did not survive; doubles each further time, up to a day. */
    QUARANTINE_MS: wholeMs(900_000),
    ACK_TIMEOUT_MS: wholeMs(4_000),
    PROBE_INTERVAL_MS: wholeMs(60_000),
    PROBE_TIMEOUT_MS: wholeMs(5_000),
    SEND_TIMEOUT_MS: wholeMs(30_000),
    IN_FLIGHT_MAX: count(16),
    /** How long each QR code is shown. Absent: WhatsApp's own 60 s for the first, 20 s for the others. */
    QR_TTL_MS: optional(z.coerce.number().int().positive()),

    /** Absent: WhatsApp's own. */
    WHATSAPP_URL: optional(z.url({ protocol: /^wss?$/ })),
    /** The key that the certificate chain of `WHATSAPP_URL` must lead to. */
    WHATSAPP_ROOT_KEY: optional(z.string().regex(/^[0-9a-f]{64}$/i, 'expected 64 hex digits')),
    /** e.g. `2.3000.1023223821`. Absent: the one that Baileys brings, or a newer one once WhatsApp refuses it. */
    WHATSAPP_CLIENT_VERSION: optional(z.string().regex(/^\d+\.\d+\.\d+$/, 'expected three numbers with dots')),
    /** Shown on the phone among the linked devices. */
    WHATSAPP_DEVICE_NAME: text.default('Holdfast'),

    /** Set by ECS. */
    ECS_CONTAINER_METADATA_URI_V4: optional(z.url()),
  })
  .superRefine((env, context) => {
    const terms = { leaseMs: env.LEASE_MS, marginMs: env.LEASE_MARGIN_MS, renewMs: env.RENEW_MS }
    for (const problem of leaseTermProblems(terms)) {
      const named = problem
        .replaceAll('renewMs', 'RENEW_MS')
        .replaceAll('leaseMs', 'LEASE_MS')
        .replaceAll('marginMs', 'LEASE_MARGIN_MS')
      context.addIssue({ code: 'custom', message: named })
    }
    if (env.DRAIN_MS * 2 > env.STOP_TIMEOUT_MS) {
      context.addIssue({ code: 'custom', message: 'DRAIN_MS must be at most half of STOP_TIMEOUT_MS' })
    }
    if (env.WHATSAPP_ROOT_KEY !== undefined && env.WHATSAPP_URL === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'WHATSAPP_ROOT_KEY needs WHATSAPP_URL: WhatsApp has a key of its own',
      })
    }
  })

export type Config = z.infer<typeof schema>

export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`The connector's environment is wrong: ${problems.join('; ')}`)
    this.name = 'ConfigError'
  }
}

/**
 * The environment also holds what the platform puts there, so that not every unknown name can be refused: those that begin
 * like ours are, since a misspelt setting is one that nobody applies.
 */
const ourPrefixes = [
  'HOLDFAST_',
  'LINK_',
  'MEDIA_',
  'LEASE_',
  'RENEW_',
  'MAX_CONNECTIONS',
  'PARTITION_',
  'DOORBELL_',
  'BACKOFF_',
  'LOGIN_',
  'HANDOVER_',
  'WHATSAPP_',
  'PROBE_',
  'REACH_',
  'PROVEN_',
  'QUARANTINE_',
  'DRAIN_',
  'STOP_TIMEOUT',
]

/** Throws `ConfigError`, which names every setting that is missing or wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const problems: string[] = Object.keys(env)
    .filter((name) => !(name in schema.shape) && ourPrefixes.some((prefix) => name.startsWith(prefix)))
    .map((name) => `${name} is not a setting`)
  const parsed = schema.safeParse(env)
  if (!parsed.success) {
    problems.push(
      ...parsed.error.issues.map(({ path, message }) =>
        path.length === 0 ? message : `${path.join('.')}: ${message}`,
      ),
    )
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems)
  return parsed.data
}

/** `2.3000.1` as numbers. */
export function clientVersionOf(config: Config): readonly [number, number, number] | undefined {
  const numbers = config.WHATSAPP_CLIENT_VERSION?.split('.').map(Number)
  const [major, minor, patch] = numbers ?? []
  return major === undefined || minor === undefined || patch === undefined ? undefined : [major, minor, patch]
}
