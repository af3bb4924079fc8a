/** What a message takes of AWS: from what was asked of the services while so many messages went through. */
import type { Asked } from './quick-services.ts'

/** us-east-1, on demand, US dollars for a million: aws.amazon.com/dynamodb/pricing/on-demand and aws.amazon.com/sqs/pricing. */
export const listPrices = { writeUnits: 0.625, readUnits: 0.125, sqsRequests: 0.4 }

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
  const price =
    sum('writeUnits') * listPrices.writeUnits + sum('readUnits') * listPrices.readUnits + sqs * listPrices.sqsRequests
  return [
    { name: 'DynamoDB requests of a message', unit: '', value: sum('requests') / messages },
    { name: 'DynamoDB write units of a message', unit: '', value: sum('writeUnits') / messages },
    { name: 'DynamoDB read units of a message', unit: '', value: sum('readUnits') / messages },
    { name: 'SQS requests of a message', unit: '', value: sqs / messages },
    { name: 'DynamoDB and SQS, a million messages, list price', unit: 'USD', value: price / messages },
  ]
}
