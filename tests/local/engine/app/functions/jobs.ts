/** Counts each job on its item. */
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'

const client = new DynamoDBClient({})

export async function handler(event: {
  readonly Records?: readonly { readonly body: string }[]
}): Promise<{ batchItemFailures: never[] }> {
  for (const record of event.Records ?? []) {
    await client.send(
      new UpdateItemCommand({
        TableName: process.env['TABLE_NAME'],
        Key: { pk: { S: record.body }, sk: { S: 'job' } },
        UpdateExpression: 'ADD seen :one',
        ExpressionAttributeValues: { ':one': { N: '1' } },
      }),
    )
  }
  return { batchItemFailures: [] }
}
