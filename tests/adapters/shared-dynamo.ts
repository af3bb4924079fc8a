import { inject } from 'vitest'
import { type DynamoLocal, dynamoAt } from './emulators.ts'

/** The one DynamoDB Local of the project that the test belongs to; tables are the caller's own. */
export function sharedDynamo(): DynamoLocal {
  return dynamoAt(inject('dynamoEndpoint'))
}
