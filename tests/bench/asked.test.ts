import { expect, test } from 'vitest'
import { prices } from '../cost/prices.ts'
import { perMessage } from './asked.ts'

test('requests of all operations and tables are counted for each message; a million of each costs the list price', () => {
  const asked = {
    dynamodb: {
      PutItem: { messages: { requests: 10, writeUnits: 40, readUnits: 0 } },
      GetItem: {
        messages: { requests: 20, writeUnits: 0, readUnits: 10 },
        connections: { requests: 10, writeUnits: 0, readUnits: 10 },
      },
    },
    others: { 'sqs SendMessageBatch': 3, 'sqs ReceiveMessage': 2, 's3 PUT': 100 },
  }
  const values = Object.fromEntries(perMessage(asked, 10).map(({ name, value }) => [name, value]))
  expect(values).toEqual({
    'DynamoDB requests of a message': 4,
    'DynamoDB write units of a message': 4,
    'DynamoDB read units of a message': 2,
    'SQS requests of a message': 0.5,
    'DynamoDB and SQS, a million messages, list price': expect.closeTo(
      4 * prices.dynamodbWrites.usd + 2 * prices.dynamodbReads.usd + 0.5 * prices.sqsFifo.usd,
    ),
  })
})
