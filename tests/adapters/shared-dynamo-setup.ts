import type { TestProject } from 'vitest/node'
import { startDynamoProcess } from './emulators.ts'

declare module 'vitest' {
  interface ProvidedContext {
    dynamoEndpoint: string
  }
}

/** One DynamoDB Local for all test files of a project, instead of one Java each. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dynamo = await startDynamoProcess()
  project.provide('dynamoEndpoint', dynamo.endpoint)
  return () => dynamo.stop()
}
