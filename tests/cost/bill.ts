/** From counts, prices and what stands in the template to a month's bill. Nothing here knows a number of its own. */
import { assumptions, partitionsMost } from './assumptions.ts'
import type { Amount, Counts, OperationName } from './counts.ts'
import { type PriceName, prices, pricesOf, usdOf } from './prices.ts'
import type { Standing } from './settings.ts'

export interface Line {
  readonly service: string
  readonly what: string
  readonly price: PriceName
  readonly quantity: number
}

export const usdOfLine = ({ price, quantity }: Line): number => usdOf(price, quantity)
export const total = (lines: readonly Line[]): number => lines.reduce((sum, line) => sum + usdOfLine(line), 0)

const gigabyte = 1e9
const readUnitBytes = 4_096
const { hoursInAMonth, daysInAMonth } = pricesOf

// ── One operation ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is counted, so many times over. */
export function linesOf(
  amounts: readonly Amount[],
  times: number,
  standing: Standing,
  counts: Counts,
): readonly Line[] {
  const all = amounts.flatMap((amount) => linesOfAmount(amount, standing))
  const journal = journalEnds(amounts, counts)
  return [...all, ...journal].map((line) => ({ ...line, quantity: line.quantity * times }))
}

function linesOfAmount(amount: Amount, { memory, settings }: Standing): readonly Line[] {
  const { by, service, operation, of, requests, writeUnits, readUnits, pieces, bytes } = amount
  switch (service) {
    case 'dynamodb':
      return [
        { service: 'DynamoDB', what: 'writes', price: 'dynamodbWrites', quantity: writeUnits },
        { service: 'DynamoDB', what: 'reads', price: 'dynamodbReads', quantity: readUnits },
      ]
    case 'sqs':
      return [
        {
          service: 'SQS',
          what: 'requests',
          price: of.includes('FIFO') ? 'sqsFifo' : 'sqsStandard',
          quantity: requests,
        },
      ]
    case 's3':
      if (/^Delete|^Abort/.test(operation)) return []
      return [
        {
          service: 'S3',
          what: 'requests',
          price: /^(Get|Head)/.test(operation) ? 's3Reads' : 's3Writes',
          quantity: requests,
        },
      ]
    case 'lambda': {
      const gigabytes = (memory[by] ?? missing(`the memory of the function ${by}`)) / 1_024
      return [
        { service: 'Lambda', what: 'invocations', price: 'lambdaRequests', quantity: requests },
        {
          service: 'Lambda',
          what: 'duration',
          price: 'lambdaArm',
          quantity: (requests * gigabytes * assumptions.lambdaMs) / 1_000,
        },
        ...logged(requests * assumptions.lambdaLogBytes, settings.logRetentionDays),
      ]
    }
    case 'apigateway':
      return [
        { service: 'API Gateway', what: 'REST calls', price: 'httpApi', quantity: requests },
        ...logged(requests * assumptions.accessLogBytes, settings.logRetentionDays),
      ]
    case 'execute-api':
      return [{ service: 'API Gateway', what: 'frames', price: 'socketMessages', quantity: pieces }]
    case 'events':
      return [{ service: 'EventBridge', what: 'events', price: 'events', quantity: pieces }]
    case 'kms':
      return [{ service: 'KMS', what: 'requests', price: 'keyRequests', quantity: requests }]
    case 'logs':
      return logged(bytes, settings.logRetentionDays)
    default:
      return missing(`a price for ${service} ${operation}`)
  }
}

function logged(bytes: number, days: number): readonly Line[] {
  const gigabytes = bytes / gigabyte
  return [
    { service: 'CloudWatch', what: 'logs', price: 'logs', quantity: gigabytes },
    { service: 'CloudWatch', what: 'logs kept', price: 'logStorage', quantity: (gigabytes * days) / daysInAMonth },
  ]
}

/**
 * An entry of the journal is deleted after the snapshot that covers it, which costs what its put cost (half of what it cost in the
 * transaction, whose other half is the check of the head), and its share of that snapshot.
 */
function journalEnds(amounts: readonly Amount[], { settings }: Counts): readonly Line[] {
  const appends = amounts.filter(
    ({ by, of, operation }) => by === 'connector' && of === 'auth' && operation === 'TransactWriteItems',
  )
  return appends.flatMap(({ requests, writeUnits }): Line[] => [
    { service: 'DynamoDB', what: 'writes', price: 'dynamodbWrites', quantity: (writeUnits - 2 * requests) / 2 },
    { service: 'S3', what: 'requests', price: 's3Writes', quantity: requests / settings.compactEntries },
  ])
}

function missing(what: string): never {
  throw new Error(`cost: expected ${what}`)
}

// ── A fleet ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Fleet {
  readonly connections: number
  readonly partitions: number
  readonly workers: number
}

/** As many workers as scaling would run, and as many partitions as these need. */
export function fleetOf(connections: number, { settings, targetShare }: Standing): Fleet {
  const wanted = Math.max(settings.workers, Math.ceil(connections / (targetShare * settings.maxConnectionsPerWorker)))
  const workers = Math.min(wanted, partitionsMost)
  return {
    connections,
    workers,
    partitions: Math.max(settings.partitions, workers > settings.partitions ? partitionsMost : 0),
  }
}

/** What stands and runs, whatever the traffic. */
export function standingLines(fleet: Fleet, standing: Standing, counts: Counts): readonly Line[] {
  const { workers } = fleet
  const { settings, ownMetrics, polled } = standing
  const { insights, flowRecords, dimensionValues, pollers, pollSeconds } = assumptions
  const polls = (queues: number): number => (queues * pollers * hoursInAMonth * 3_600) / pollSeconds
  const taskHours = workers * hoursInAMonth
  const flowBytes = standing.flowLogs * fleet.connections * flowRecords.anHour * flowRecords.bytes * hoursInAMonth
  return [
    { service: 'Fargate', what: 'vCPU', price: 'fargateCpu', quantity: (taskHours * settings.workerCpu) / 1_024 },
    {
      service: 'Fargate',
      what: 'memory',
      price: 'fargateMemory',
      quantity: (taskHours * settings.workerMemoryMiB) / 1_024,
    },
    ...networkLines(fleet, standing),
    {
      service: 'CloudWatch',
      what: "Holdfast's own metrics",
      price: 'metrics',
      quantity: ownMetrics.names + ownMetrics.withDimension * dimensionValues,
    },
    { service: 'CloudWatch', what: 'Container Insights', price: 'metrics', quantity: insights.metrics },
    ...logged(taskHours * 60 * insights.bytesATaskMinute, 1).map((line) => ({ ...line, what: 'Container Insights' })),
    ...logged(flowBytes, settings.logRetentionDays).map((line) => ({ ...line, what: 'flow logs' })),
    { service: 'CloudWatch', what: 'alarms', price: 'alarms', quantity: standing.alarmMetrics },
    { service: 'CloudWatch', what: 'dashboard', price: 'dashboards', quantity: standing.dashboards },
    { service: 'KMS', what: 'keys', price: 'keys', quantity: standing.keys },
    { service: 'Secrets Manager', what: 'the admin key', price: 'secrets', quantity: standing.secrets },
    { service: 'SQS', what: "Lambda's polls of quiet queues", price: 'sqsFifo', quantity: polls(polled.fifo) },
    { service: 'SQS', what: "Lambda's polls of quiet queues", price: 'sqsStandard', quantity: polls(polled.standard) },
    ...idleLines(fleet, standing, counts),
  ]
}

function networkLines({ workers }: Fleet, { settings, private: own }: Standing): readonly Line[] {
  switch (settings.network.kind) {
    case 'public':
      return [
        { service: 'Network', what: 'public addresses', price: 'publicAddress', quantity: workers * hoursInAMonth },
      ]
    case 'private':
      return [
        { service: 'Network', what: 'NAT gateway', price: 'natGateway', quantity: own.natGateways * hoursInAMonth },
        {
          service: 'Network',
          what: 'public addresses',
          price: 'publicAddress',
          quantity: own.natGateways * hoursInAMonth,
        },
        { service: 'Network', what: 'interface endpoints', price: 'endpoint', quantity: own.endpoints * hoursInAMonth },
      ]
    case 'existing':
      return []
  }
}

/** What workers and watchdogs ask although nothing happens. What a query reads grows with the rows that it finds. */
function idleLines(fleet: Fleet, standing: Standing, counts: Counts): readonly Line[] {
  const many = { worker: fleet.workers, partition: fleet.partitions, deployment: 1 }
  return counts.idle.flatMap((amount) => {
    const grown = {
      ...amount,
      readUnits: amount.operation === 'Query' ? readUnitsIn(amount, fleet, counts) : amount.readUnits,
    }
    return linesOfAmount(grown, standing).map((line) => ({
      ...line,
      what:
        line.service === 'DynamoDB' && amount.of === 'fleet' && amount.by === 'connector'
          ? `leases and looks: ${line.what}`
          : `idle: ${line.what}`,
      quantity: line.quantity * many[amount.per] * hoursInAMonth,
    }))
  })
}

/** In an hour, of one of whatever it is counted for. */
function readUnitsIn(
  { by, of, requests, readUnits }: Amount,
  { connections, partitions, workers }: Fleet,
  { itemBytes }: Counts,
): number {
  const units = (bytes: number): number => Math.max(1, Math.ceil(bytes / readUnitBytes))
  switch (of) {
    // One query for the workers, one for the partitions, both consistent.
    case 'fleet':
      return (requests / 2) * (units(workers * itemBytes.worker) + units(partitions * itemBytes.partition))
    case 'connections/byPartition':
      return (by === 'connector' ? requests : 0) * 0.5 * units((connections / partitions) * itemBytes.connection)
    default:
      return readUnits
  }
}

/** In a month. */
export function trafficLines(
  fleet: Fleet,
  standing: Standing,
  counts: Counts,
  day: Day = assumptions.traffic,
): readonly Line[] {
  const often = (aDay: number): number => fleet.connections * aDay * daysInAMonth
  const of = (name: OperationName, aDay: number): readonly Line[] =>
    linesOf(counts.operations[name], often(aDay), standing, counts)
  const { browsers } = assumptions
  const frames =
    day.sends * framesOf('send by REST', counts) +
    day.received +
    day.losses * framesOf('connection lost and restored', counts)
  const minutes = (fleet.connections / browsers.connections) * browsers.hoursADay * 60 * daysInAMonth
  const tables = storedGigabytes(fleet, standing, counts, day)
  return [
    ...of('send by REST', day.sends),
    ...of('received message, to a webhook', day.received),
    ...of('connection lost and restored', day.losses),
    { service: 'API Gateway', what: 'frames', price: 'socketMessages', quantity: often(frames) },
    { service: 'API Gateway', what: 'open sockets', price: 'socketMinutes', quantity: minutes },
    { service: 'DynamoDB', what: 'messages kept', price: 'dynamodbStorage', quantity: tables },
    { service: 'DynamoDB', what: 'messages kept', price: 'dynamodbRecovery', quantity: tables },
  ]
}

export interface Day {
  readonly sends: number
  readonly received: number
  readonly losses: number
}

/** To one browser. */
export function framesOf(name: 'send by REST' | 'connection lost and restored', counts: Counts): number {
  const posted = (amounts: readonly Amount[]): number =>
    amounts.filter(({ service }) => service === 'execute-api').reduce((sum, { pieces }) => sum + pieces, 0)
  return posted(counts.operations[`${name}, watched`]) / counts.watchers
}

/** Once as many days have passed as messages are kept. */
function storedGigabytes({ connections }: Fleet, { settings }: Standing, { storedBytes }: Counts, day: Day): number {
  const aDay = day.sends * storedBytes.send + day.received * storedBytes.received
  return (connections * aDay * settings.messageRetentionDays) / gigabyte
}

export const priceOf = (name: PriceName) => prices[name]
