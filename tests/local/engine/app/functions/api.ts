/** `PUT /items/{id}` stores an item, `GET` reads it; without a route it is a WebSocket event and answers 200. */
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'

const client = new DynamoDBClient({})
interface Request {
  readonly routeKey?: string
  readonly pathParameters?: { readonly id?: string }
}

export async function handler(event: Request): Promise<{ statusCode: number; body?: string }> {
  const TableName = process.env['TABLE_NAME']
  const id = event.pathParameters?.id ?? ''
  if (event.routeKey?.startsWith('PUT') === true) {
    await client.send(new PutItemCommand({ TableName, Item: { pk: { S: id }, sk: { S: 'item' } } }))
    return { statusCode: 201, body: JSON.stringify({ id }) }
  }
  if (event.routeKey?.startsWith('GET') === true) {
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: { pk: { S: id }, sk: { S: 'item' } } }))
    return Item === undefined ? { statusCode: 404 } : { statusCode: 200, body: JSON.stringify({ id }) }
  }
  return { statusCode: 200 }
}
