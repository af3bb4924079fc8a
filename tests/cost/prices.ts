/**
 * List prices in US dollars, without free tiers, discounts for volume, or tax. Another region, or a price that AWS has changed, is
 * another number here and nowhere else: then `npm run bench -- cost --render`.
 */
export const pricesOf = {
  region: 'us-east-1',
  lookedUpOn: '2026-11-29',
  hoursInAMonth: 730,
  daysInAMonth: 30.4,
} as const

export interface Price {
  readonly usd: number
  /** Of what: the price is for so many of them. */
  readonly per: number
  readonly unit: string
  readonly source: string
}

const page = (path: string): string => `https://aws.amazon.com/${path}/`
const million = 1_000_000

export const prices = {
  dynamodbWrites: { usd: 0.625, per: million, unit: 'write request units', source: page('dynamodb/pricing/on-demand') },
  dynamodbReads: { usd: 0.125, per: million, unit: 'read request units', source: page('dynamodb/pricing/on-demand') },
  dynamodbStorage: {
    usd: 0.25,
    per: 1,
    unit: 'GB-month of tables and indexes',
    source: page('dynamodb/pricing/on-demand'),
  },
  dynamodbRecovery: {
    usd: 0.2,
    per: 1,
    unit: 'GB-month of point-in-time recovery',
    source: page('dynamodb/pricing/on-demand'),
  },
  sqsStandard: { usd: 0.4, per: million, unit: 'requests of a standard queue', source: page('sqs/pricing') },
  sqsFifo: { usd: 0.5, per: million, unit: 'requests of a FIFO queue', source: page('sqs/pricing') },
  s3Writes: { usd: 0.005, per: 1_000, unit: 'PUT and LIST requests', source: page('s3/pricing') },
  s3Reads: { usd: 0.0004, per: 1_000, unit: 'GET requests', source: page('s3/pricing') },
  lambdaRequests: { usd: 0.2, per: million, unit: 'invocations', source: page('lambda/pricing') },
  lambdaArm: { usd: 0.0000133334, per: 1, unit: 'GB-second, Arm', source: page('lambda/pricing') },
  httpApi: { usd: 1, per: million, unit: 'requests of an HTTP API', source: page('api-gateway/pricing') },
  socketMessages: {
    usd: 1,
    per: million,
    unit: 'WebSocket messages of up to 32 KB',
    source: page('api-gateway/pricing'),
  },
  socketMinutes: { usd: 0.25, per: million, unit: 'minutes of a WebSocket', source: page('api-gateway/pricing') },
  events: { usd: 1, per: million, unit: 'custom events of up to 64 KB', source: page('eventbridge/pricing') },
  fargateCpu: { usd: 0.03238, per: 1, unit: 'vCPU-hour, Arm', source: page('fargate/pricing') },
  fargateMemory: { usd: 0.00356, per: 1, unit: 'GB-hour, Arm', source: page('fargate/pricing') },
  publicAddress: { usd: 0.005, per: 1, unit: 'hour of a public IPv4 address', source: page('vpc/pricing') },
  natGateway: { usd: 0.045, per: 1, unit: 'hour of a NAT gateway', source: page('vpc/pricing') },
  endpoint: {
    usd: 0.01,
    per: 1,
    unit: 'hour of an interface endpoint in one zone',
    source: page('privatelink/pricing'),
  },
  logs: { usd: 0.5, per: 1, unit: 'GB of logs taken in', source: page('cloudwatch/pricing') },
  logStorage: { usd: 0.03, per: 1, unit: 'GB-month of logs', source: page('cloudwatch/pricing') },
  metrics: { usd: 0.3, per: 1, unit: 'custom metric a month', source: page('cloudwatch/pricing') },
  alarms: { usd: 0.1, per: 1, unit: 'metric of an alarm a month', source: page('cloudwatch/pricing') },
  dashboards: { usd: 3, per: 1, unit: 'dashboard a month', source: page('cloudwatch/pricing') },
  keys: { usd: 1, per: 1, unit: 'KMS key a month', source: page('kms/pricing') },
  keyRequests: { usd: 0.03, per: 10_000, unit: 'KMS requests', source: page('kms/pricing') },
  secrets: { usd: 0.4, per: 1, unit: 'secret a month', source: page('secrets-manager/pricing') },
} as const satisfies Readonly<Record<string, Price>>

export type PriceName = keyof typeof prices

export const usdOf = (name: PriceName, quantity: number): number => (quantity * prices[name].usd) / prices[name].per
