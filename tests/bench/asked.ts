/** What a message takes of AWS: from what was asked of the services while so many messages went through. */
import { usdOf } from '../cost/prices.ts'
import type { Asked } from './quick-services.ts'

export interface AskedFigure {
  readonly name: string
  readonly unit: string
  readonly value: number
}

/** Its acceptance, its way to WhatsApp and its receipts, with what the idle connections and workers ask meanwhile. */
export function perMessage({ dynamodb, others }: Asked, messages: number): AskedFigure[] {
  const counts = Object.values(dynamodb).flatMap((tables) => Object.values(tables))
  const sum = (of: 'requests' | 'writeUnits' | 'readUnits') => counts.reduce((total, count) => total + count[of], 0)
  const sqs = Object.entries(others).reduce(
    (total, [name, count]) => (name.startsWith('sqs ') ? total + count : total),
    0,
  )
  const million = 1_000_000
  // The doorbells of partitions: FIFO queues.
  const price =
    usdOf('dynamodbWrites', million * sum('writeUnits')) +
    usdOf('dynamodbReads', million * sum('readUnits')) +
    usdOf('sqsFifo', million * sqs)
  return [
    { name: 'DynamoDB requests of a message', unit: '', value: sum('requests') / messages },
    { name: 'DynamoDB write units of a message', unit: '', value: sum('writeUnits') / messages },
    { name: 'DynamoDB read units of a message', unit: '', value: sum('readUnits') / messages },
    { name: 'SQS requests of a message', unit: '', value: sqs / messages },
    { name: 'DynamoDB and SQS, a million messages, list price', unit: 'USD', value: price / messages },
  ]
}
