/** docs/cost.md, whole: every number in it comes from counts, prices, assumptions or the template. */
import { assumptions, fleets } from './assumptions.ts'
import {
  type Fleet,
  fleetOf,
  framesOf,
  type Line,
  linesOf,
  standingLines,
  total,
  trafficLines,
  usdOfLine,
} from './bill.ts'
import type { Amount, Counts, OperationName } from './counts.ts'
import { type PriceName, prices, pricesOf } from './prices.ts'
import type { CountedSettings, Standing } from './settings.ts'

const million = 1_000_000

export function costDocument(counts: Counts, standing: Standing): string {
  const rendered = [
    '# Cost',
    intro(counts),
    '## What a fleet costs',
    fleetTable(counts, standing),
    '## What dominates',
    ...fleets.map((connections) => dominating(fleetOf(connections, standing), counts, standing)),
    '## Which setting moves it',
    settingsTable(counts, standing),
    '## What an operation costs',
    operations(counts, standing),
    '## What happens although nothing happens',
    idle(counts, standing),
    '## What is assumed',
    assumed(counts, standing),
    '## What is not in it',
    notCounted,
    '## List prices',
    priceTable(counts, standing),
    '## How this page is made',
    howMade(counts),
  ]
  return `${rendered.join('\n\n')}\n`
}

function intro({ countedOn }: Counts): string {
  return lines(
    `What Holdfast costs in your AWS account, before you deploy it: list prices of ${pricesOf.region} as of ${pricesOf.lookedUpOn}, in US dollars, without`,
    'free tiers, discounts or tax. Requests were counted on the synthesized template in local mode, one by one, where every call goes',
    `through one place (${countedOn}); the rest is arithmetic. Nobody has compared it with a bill yet.`,
  )
}

// ── Fleets ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Bill {
  readonly fleet: Fleet
  readonly standing: readonly Line[]
  readonly traffic: readonly Line[]
}

function billOf(fleet: Fleet, counts: Counts, standing: Standing): Bill {
  return { fleet, standing: standingLines(fleet, standing, counts), traffic: trafficLines(fleet, standing, counts) }
}

function fleetTable(counts: Counts, standing: Standing): string {
  const { traffic, browsers } = assumptions
  const bills = fleets.map((connections) => billOf(fleetOf(connections, standing), counts, standing))
  const row = (name: string, of: (bill: Bill) => string): string[] => [name, ...bills.map(of)]
  const busy = ({ standing: idle, traffic: more }: Bill): number => total(idle) + total(more)
  return lines(
    `Settings of the stage \`production\`, \`partitions: 128\` where the fleet needs it. **Busy**: each connection sends ${traffic.sends} messages a day by REST, receives ${traffic.received}, which go to`,
    `a webhook too, and loses its socket ${number(traffic.losses)} times; one browser for ${browsers.connections} connections shows all of it, ${browsers.hoursADay} hours a day. All text: media come on top.`,
    '',
    ...table(
      ['connections', ...bills.map(({ fleet }) => number(fleet.connections))],
      [
        row('workers, partitions', ({ fleet }) => `${fleet.workers}, ${fleet.partitions}`),
        row('**idle**, a month', (bill) => `**${usd(total(bill.standing))}**`),
        row('idle, a connection and month', (bill) => usd(total(bill.standing) / bill.fleet.connections)),
        row('idle, a connection and hour', (bill) =>
          usd(total(bill.standing) / bill.fleet.connections / pricesOf.hoursInAMonth),
        ),
        row('**busy**, a month', (bill) => `**${usd(busy(bill))}**`),
        row('busy, a connection and month', (bill) => usd(busy(bill) / bill.fleet.connections)),
      ],
    ),
  )
}

function dominating(fleet: Fleet, counts: Counts, standing: Standing): string {
  const bill = billOf(fleet, counts, standing)
  const part = (name: string, of: readonly Line[]): string => {
    const sum = total(of)
    const sorted = [...summed(of, ({ service, what }) => `${service}: ${what}`)].sort((a, b) => b[1] - a[1])
    const shown = sorted.filter(([, cost], n) => n < 6 && cost / sum >= 0.01)
    const told = shown.map(([what, cost]) => `${what} ${usd(cost)} (${Math.round((100 * cost) / sum)} %)`)
    return `- ${name}, ${usd(sum)}: ${told.join(' · ')}`
  }
  const idleShare = total(bill.standing) / (total(bill.standing) + total(bill.traffic))
  return lines(
    `**${number(fleet.connections)} connections.** ${Math.round(100 * idleShare)} per cent of the busy bill is there without a message.`,
    '',
    part('Idle', bill.standing),
    part('What traffic adds', bill.traffic),
  )
}

/** What else could be set, and how. */
interface Choice {
  readonly name: string
  readonly connections: readonly number[]
  readonly change: (of: { fleet: Fleet; standing: Standing; counts: Counts }) => {
    readonly fleet?: Fleet
    readonly standing?: Standing
    readonly counts?: Counts
  }
  readonly costs: string
}

const set = (standing: Standing, settings: Partial<Standing['settings']>): Standing => ({
  ...standing,
  settings: { ...standing.settings, ...settings },
})

const choices: readonly Choice[] = [
  {
    name: '`workers: 1`, with `workersMax: 1`',
    connections: [10],
    change: ({ fleet, standing }) => ({ fleet: { ...fleet, workers: 1 }, standing: set(standing, { workers: 1 }) }),
    costs: 'a worker that dies is waited for until ECS has started another, where there is none to take over',
  },
  {
    name: '`workerCpu: 256`, `workerMemoryMiB: 512`',
    connections: [10],
    change: ({ standing }) => ({ standing: set(standing, { workerCpu: 256, workerMemoryMiB: 512 }) }),
    costs:
      'restores take longer; some hundred idle connections fit into its memory by [Performance](performance.md#memory); not measured',
  },
  {
    name: '`maxConnectionsPerWorker: 2000`',
    connections: [100_000],
    change: ({ standing }) => {
      const changed = set(standing, { maxConnectionsPerWorker: 2_000 })
      return { standing: changed, fleet: fleetOf(100_000, changed) }
    },
    costs: 'twice as many connections go away with one worker; its CPU must hold the traffic',
  },
  {
    name: '`maxConnectionsPerWorker: 5000`',
    connections: [100_000],
    change: ({ standing }) => {
      const changed = set(standing, { maxConnectionsPerWorker: 5_000 })
      return { standing: changed, fleet: fleetOf(100_000, changed) }
    },
    costs: 'the most that is allowed: for idle connections; not measured',
  },
  {
    name: '`partitions: 4`',
    connections: [10],
    change: ({ fleet }) => ({ fleet: { ...fleet, partitions: 4 } }),
    costs: 'at most 4 workers ever; cannot be lowered later',
  },
  {
    name: '`DOORBELL_WAIT_SECONDS: 20` of the connector',
    connections: [...fleets],
    change: ({ counts }) => ({
      counts: {
        ...counts,
        idle: counts.idle.map((amount) =>
          amount.operation === 'ReceiveMessage'
            ? { ...amount, requests: (amount.requests * counts.settings.doorbellWaitSeconds) / 20 }
            : amount,
        ),
      },
    }),
    costs: 'a worker that stops waits up to 20 s for its last polls',
  },
  {
    name: '`messageRetentionDays: 30`',
    connections: [...fleets],
    change: ({ standing }) => ({ standing: set(standing, { messageRetentionDays: 30 }) }),
    costs: 'older messages are gone from history',
  },
  {
    name: '`logRetentionDays: 7`',
    connections: [...fleets],
    change: ({ standing }) => ({ standing: set(standing, { logRetentionDays: 7 }) }),
    costs: 'older log lines are gone',
  },
  {
    name: '`network: private`',
    connections: [...fleets],
    change: ({ standing }) => ({ standing: set(standing, { network: { kind: 'private' } }) }),
    costs: 'tasks have no public addresses; $0.045 for each GB through the NAT gateway come on top',
  },
]

function settingsTable(counts: Counts, standing: Standing): string {
  const whole = (fleet: Fleet, standing: Standing, counts: Counts): number =>
    total(standingLines(fleet, standing, counts)) + total(trafficLines(fleet, standing, counts))
  const rows = choices.map(({ name, connections, change, costs }) => [
    name,
    ...fleets.map((size) => {
      if (!connections.includes(size)) return ''
      const fleet = fleetOf(size, standing)
      const changed = { fleet, standing, counts, ...change({ fleet, standing, counts }) }
      return signed(whole(changed.fleet, changed.standing, changed.counts) - whole(fleet, standing, counts))
    }),
    costs,
  ])
  return lines(
    'A month of the busy fleets, more or less than above:',
    '',
    ...table(['in place of the default', ...fleets.map((size) => number(size)), 'what it costs otherwise'], rows),
    '',
    'Beside settings: a webhook that names its `events`, and a browser that names its `connectionId`s, get less. The next section says what each of them costs.',
  )
}

// ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const shown: readonly OperationName[] = [
  'send by REST',
  'send by queue',
  'received message',
  'received message, to a webhook',
  'connection lost and restored',
]

function operations(counts: Counts, standing: Standing): string {
  const sumOf = (name: OperationName, service: string, what: (amount: Amount) => number): number =>
    counts.operations[name]
      .filter((amount) => amount.service === service)
      .reduce((sum, amount) => sum + what(amount), 0)
  const requests = ({ requests }: Amount): number => requests
  const quantity = (name: OperationName, price: PriceName): number =>
    linesOf(counts.operations[name], 1, standing, counts)
      .filter((line) => line.price === price)
      .reduce((sum, line) => sum + line.quantity, 0)
  const services = ['DynamoDB', 'SQS', 'Lambda', 'API Gateway', 'EventBridge', 'S3', 'KMS', 'CloudWatch'] as const
  const cost = (name: OperationName, service: string): number =>
    total(linesOf(counts.operations[name], million, standing, counts).filter((line) => line.service === service))
  const counted = shown.map((name) => [
    name,
    number(sumOf(name, 'dynamodb', requests)),
    number(quantity(name, 'dynamodbWrites')),
    number(quantity(name, 'dynamodbReads')),
    number(sumOf(name, 'sqs', requests)),
    number(sumOf(name, 'lambda', requests)),
    number(quantity(name, 'lambdaArm') * 1_000),
    number(sumOf(name, 'apigateway', requests)),
    number(sumOf(name, 'events', ({ pieces }) => pieces)),
    number(quantity(name, 's3Writes') + quantity(name, 's3Reads')),
    number(sumOf(name, 'kms', requests)),
    number(quantity(name, 'logs') * million),
  ])
  const priced = shown.map((name) => [
    name,
    ...services.map((service) => usd(cost(name, service))),
    `**${usd(total(linesOf(counts.operations[name], million, standing, counts)))}**`,
  ])
  const statusPush = counts.operations['connection lost and restored'].filter(
    ({ by }) => by === 'LivePublishConnections' || by === 'EventsConnections',
  )
  const changes = statusPush.reduce((sum, { service, pieces }) => sum + (service === 'events' ? pieces : 0), 0)
  const pushUsd = total(linesOf(statusPush, million / changes, standing, counts))
  const workerUsd = ((million * assumptions.workerMs) / 3_600_000) * prices.fargateCpu.usd
  return lines(
    'Counted, of one, while nothing else happens: in a burst the readers of streams and queues take many at once, and Lambda, SQS and logs come to less.',
    'A send counts from the call to the delivery receipt, a received message from the phone to the bus and, where it says so, to an endpoint. Known contacts, text.',
    '',
    ...table(
      [
        '',
        'DynamoDB requests',
        'write units',
        'read units',
        'SQS requests',
        'Lambda invocations',
        'MB-s',
        'API calls',
        'events',
        'S3',
        'KMS',
        'KB of logs',
      ],
      counted,
    ),
    '',
    'The list price of a million of each:',
    '',
    ...table(['a million', ...services, 'all'], priced),
    '',
    '**A change of status** costs ' +
      `${usd(pushUsd)} a million to publish (stream, bus), whether somebody watches or not, and each frame to a browser ${usd(million * usdOfLine({ service: '', what: '', price: 'socketMessages', quantity: 1 }))} a million: with W browsers ${usd(pushUsd)} + W × ${usd(million * usdOfLine({ service: '', what: '', price: 'socketMessages', quantity: 1 }))}. ` +
      `A lost and restored connection makes ${number(changes)} changes; a browser gets ${number(framesOf('send by REST', counts))} frames of a send and ${number(framesOf('connection lost and restored', counts))} of a lost connection ` +
      `(changes that come together share one). An open socket costs ${usd(prices.socketMinutes.usd)} for a million minutes.`,
    '',
    whereWritesGo(counts, standing),
    '',
    'Reading the streams costs nothing: Lambda does it. A send takes ' +
      `${assumptions.workerMs} ms of a worker's CPU ([Performance](performance.md#sends)), which is ${usd(workerUsd)} of Fargate for a million, and is in a fleet's workers already.`,
  )
}

/** Writes are most of what a message costs: which table takes them. */
function whereWritesGo(counts: Counts, standing: Standing): string {
  const ofTables = (name: OperationName): string => {
    const amounts = counts.operations[name].filter(({ service }) => service === 'dynamodb')
    const units = [...Map.groupBy(amounts, ({ of }) => of.split('/')[0] ?? of)].map(([of, some]) => {
      const written = linesOf(some, 1, standing, counts).filter(({ price }) => price === 'dynamodbWrites')
      return [of, written.reduce((sum, { quantity }) => sum + quantity, 0)] as const
    })
    const sorted = units.filter(([, written]) => written > 0).sort((a, b) => b[1] - a[1])
    return sorted.map(([of, written]) => `${number(written)} \`${of}\``).join(', ')
  }
  return (
    `**Write units by table**, of a send by REST: ${ofTables('send by REST')}; of a received message to a webhook: ${ofTables('received message, to a webhook')}. ` +
    'A row in `messages` is written once for each of its steps, and again for each index that it is in or leaves; `auth` is the journal that makes a crash cost nothing.'
  )
}

function idle(counts: Counts, standing: Standing): string {
  const of = (per: string, service: string, what: (amount: Amount) => number): number =>
    counts.idle
      .filter((amount) => amount.per === per && amount.service === service)
      .reduce((sum, amount) => sum + what(amount), 0)
  const rows = (['worker', 'partition', 'deployment'] as const).map((per) => [
    `a ${per}`,
    number(of(per, 'dynamodb', ({ requests }) => requests)),
    number(of(per, 'dynamodb', ({ writeUnits }) => writeUnits)),
    number(of(per, 'sqs', ({ requests }) => requests)),
    number(of(per, 'lambda', ({ requests }) => requests)),
    number(of(per, 'logs', ({ bytes }) => bytes / 1_000)),
  ])
  const { settings, itemBytes } = counts
  const looks = new Map(
    fleets.map((size) => {
      const fleet = fleetOf(size, standing)
      const lines = standingLines(fleet, standing, counts).filter(({ what }) => what.startsWith('leases and looks'))
      return [fleet.workers, `${usd(total(lines))} a month with ${fleet.workers} workers`] as const
    }),
  )
  return lines(
    'In an hour, counted with 6 and 12 connections and with one and two workers:',
    '',
    ...table(['of', 'DynamoDB requests', 'write units', 'SQS requests', 'Lambda invocations', 'KB of logs'], rows),
    '',
    'An idle connection asks AWS for nothing: its liveness probe goes to WhatsApp. What grows with connections are the rows that a worker reads back every',
    `${settings.refreshMs / 1_000} s (${number(itemBytes.connection)} bytes each) and the flow logs of its socket. Each worker renews its lease every ${settings.renewMs / 1_000} s and looks at the rows of all workers`,
    `(${number(itemBytes.worker)} bytes each) and partitions (${number(itemBytes.partition)} bytes) every ${settings.lookMs / 1_000} s, which grows with the square of the fleet: ${[...looks.values()].join(', ')}.`,
  )
}

// ── Notes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function assumed({ storedBytes }: Counts, { settings, targetShare }: Standing): string {
  const { lambdaMs, lambdaLogBytes, accessLogBytes, pollers, pollSeconds, insights, flowRecords, dimensionValues } =
    assumptions
  return lines(
    `- An invocation takes ${lambdaMs} ms on average, of the memory that the template gives it. Twice that doubles Lambda's duration and nothing else.`,
    `- Lambda logs ${lambdaLogBytes} bytes about each invocation; a line of the access log has ${accessLogBytes} bytes.`,
    `- Lambda asks a quiet queue ${pollers} times every ${pollSeconds} s.`,
    `- Container Insights has ${insights.metrics} metrics and logs ${number(insights.bytesATaskMinute)} bytes of a task in a minute. A metric with a dimension has ${dimensionValues} values of it.`,
    `- Flow logs tell ${flowRecords.anHour} times an hour of each WhatsApp socket, ${flowRecords.bytes} bytes each time.`,
    `- Workers are as many as scaling makes them: ${Math.round(100 * targetShare)} per cent of \`maxConnectionsPerWorker\` (${number(settings.maxConnectionsPerWorker)}) each, at least \`workers\` (${settings.workers}), at most one for a partition.`,
    `- Messages have been kept for their whole ${settings.messageRetentionDays} days: ${number(storedBytes.send)} bytes of a send, ${number(storedBytes.received)} of a received message, indexes included, and as much again in point-in-time recovery.`,
    '- Capacity is what DynamoDB Local says, made right where it departs from AWS: an index is written once in a transaction too, an empty query costs the least that a read costs,',
    '  a refused write is paid for. An entry of the journal is deleted at the price of its put once a snapshot covers it.',
  )
}

const notCounted = lines(
  '- Data transfer: out to WhatsApp, to browsers and endpoints, between zones, through a NAT gateway.',
  '- Media: their objects in S3 (a PUT, a GET and the storage of each) and what moving them costs the worker.',
  '- X-Ray (off by default), Logs Insights queries, reading the dashboard, the console through CloudFront, Route 53, what SNS sends for alarms.',
  '- Linking, groups, contacts, imports, exports, and what your own calls read.',
  '- Storage of auth state and images: cents. First messages to a contact, which ask for keys and journal more.',
  '- Savings Plans and Fargate prices of other regions; DynamoDB with provisioned capacity.',
)

function priceTable(counts: Counts, standing: Standing): string {
  const used = new Set<string>()
  for (const size of fleets) {
    const fleet = fleetOf(size, standing)
    const inPrivate = set(standing, { network: { kind: 'private' } })
    const all = [
      ...standingLines(fleet, standing, counts),
      ...standingLines(fleet, inPrivate, counts),
      ...trafficLines(fleet, standing, counts),
    ]
    for (const { price } of all) used.add(price)
  }
  const rows = Object.entries(prices)
    .filter(([name]) => used.has(name))
    .map(([, { usd: price, per, unit, source }]) => [`${number(per)} ${unit}`, `$${price}`, `<${source}>`])
  return lines(...table(['for', 'list price', 'source'], rows))
}

function howMade({ settings }: Counts): string {
  return lines(
    '`npm run bench -- cost --write` counts anew (a quarter of an hour) and writes `tests/cost/counts.json` and this page; `npm run bench -- cost --render` makes the page',
    'from what was counted, after a change in `tests/cost/prices.ts` or `tests/cost/assumptions.ts`: copy the page of your region into the one, your traffic into the other. A test',
    `holds that the page is what the counts give, and that they were counted under the present intervals, tables and ${settings.mappings} event source mappings.`,
  )
}

// ── Words and figures ─────────────────────────────────────────────────────────────────────────────────────────────────────

function lines(...of: readonly string[]): string {
  return of.join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...rows.map(row)]
}

function summed(of: readonly Line[], key: (line: Line) => string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const line of of) sums.set(key(line), (sums.get(key(line)) ?? 0) + usdOfLine(line))
  return sums
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

function usd(value: number): string {
  if (value === 0) return '$0'
  if (value < 0.01) return `$${value.toPrecision(2)}`
  const digits = value >= 100 ? 0 : 2
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`
}

const signed = (value: number): string =>
  Math.abs(value) < 0.005 ? '±$0' : `${value < 0 ? '−' : '+'}${usd(Math.abs(value))}`

/** What must be the same as when it was counted; in words, where it is not. */
export function staleness(counts: Counts, now: CountedSettings): readonly string[] {
  const flat = (settings: CountedSettings): ReadonlyMap<string, string> =>
    new Map(
      Object.entries(settings).flatMap(([name, value]) =>
        typeof value === 'object'
          ? Object.entries(value).map(([of, each]) => [`${name}.${of}`, String(each)] as const)
          : [[name, String(value)] as const],
      ),
    )
  const [then, present] = [flat(counts.settings), flat(now)]
  return [...new Set([...then.keys(), ...present.keys()])]
    .filter((name) => then.get(name) !== present.get(name))
    .map(
      (name) => `${name} was ${then.get(name) ?? 'absent'} when it was counted and is ${present.get(name) ?? 'absent'}`,
    )
}
