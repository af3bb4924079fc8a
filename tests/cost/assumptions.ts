/** What no count on one machine can say. Change it here, and `npm run bench -- cost --render`. */
export const assumptions = {
  /** Of an invocation, on average: local durations are no durations of AWS. */
  lambdaMs: 50,
  /** CPU of a worker for a send to a known contact: docs/performance.md, Sends. */
  workerMs: 6.3,
  /** What Lambda itself writes about an invocation, in its JSON format (`platform.start`, `platform.report`). */
  lambdaLogBytes: 700,
  /** A line of the HTTP API's access log. */
  accessLogBytes: 260,
  /** Lambda polls a quiet queue by so many long polls at once. */
  pollers: 5,
  pollSeconds: 20,
  /** Metrics of Container Insights for one cluster with one service, and what it logs of a task in a minute. */
  insights: { metrics: 35, bytesATaskMinute: 3_000 },
  /** A socket is a flow in each direction, told of every ten minutes. */
  flowRecords: { anHour: 12, bytes: 130 },
  /** Values of a metric's own dimension (reasons, codes) that occur. */
  dimensionValues: 6,
  /** DynamoDB stores so much beside each item's own bytes. */
  itemOverheadBytes: 100,
  /** Each day, of each connection. */
  traffic: { sends: 100, received: 100, losses: 2 },
  /** A browser shows the events of so many connections, for so many hours of a day, the hours in which they happen. */
  browsers: { connections: 5, hoursADay: 8 },
} as const

/** What a setting moves is told for these fleets. */
export const fleets = [10, 1_000, 100_000] as const

/** Largest number of partitions that the settings take: a fleet that needs more workers than partitions gets so many. */
export const partitionsMost = 128
