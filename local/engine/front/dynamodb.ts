/** DynamoDB and its streams: what each call demands, then DynamoDB Local answers. */
import type { ConditionContext } from '../iam/conditions.ts'
import { isObject, type JsonObject } from '../template/json.ts'
import type { TableSpec } from '../template/specs.ts'
import { type Demand, type FrontCall, type FrontService, type Protocol, ServiceError } from './call.ts'
import { leadingKeys } from './leading-keys.ts'
import { forward, type Upstream } from './proxy.ts'

const PROTOCOL: Protocol = { kind: 'json', version: '1.0', accessDenied: 'AccessDeniedException', deniedStatus: 400 }

/** Calls on one table or one of its indexes, with the action that allows them. */
const SINGLE = [
  'PutItem',
  'GetItem',
  'UpdateItem',
  'DeleteItem',
  'Query',
  'Scan',
  'DescribeTable',
  'DescribeTimeToLive',
  'CreateTable',
  'UpdateTable',
  'DeleteTable',
  'UpdateTimeToLive',
  'DescribeContinuousBackups',
]

const TRANSACTION_ACTIONS: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
}

export function dynamoDbService(
  tables: readonly TableSpec[],
  upstream: Upstream,
  region: string,
  account: string,
  /** Every answer says what capacity the call consumed. */
  tellCapacity = false,
): FrontService {
  const find = (nameOrArn: string): TableSpec | undefined =>
    tables.find(({ name, arn }) => name === nameOrArn || arn === nameOrArn)
  const arnOf = (name: string): string => find(name)?.arn ?? `arn:aws:dynamodb:${region}:${account}:table/${name}`

  const demandsOf = (action: string, table: string, keys: readonly string[], index?: string): readonly Demand[] => {
    const arn = arnOf(table)
    const context: ConditionContext = keys.length === 0 ? {} : { 'dynamodb:leadingkeys': keys }
    const resource = index === undefined ? arn : `${arn}/index/${index}`
    const demands: Demand[] = [{ action: `dynamodb:${action}`, resource, context, owner: arn }]
    const keyArn = find(table)?.keyArn
    if (keyArn !== undefined)
      demands.push({ action: 'kms:Decrypt', resource: keyArn, context: viaService('dynamodb', region) })
    return demands
  }

  return {
    protocol: PROTOCOL,
    demands(call) {
      const input = parse(call)
      if (
        call.operation === 'ListTables' ||
        call.operation === 'DescribeLimits' ||
        call.operation === 'DescribeEndpoints'
      ) {
        return [{ action: `dynamodb:${call.operation}`, resource: '*', context: {} }]
      }
      if (SINGLE.includes(call.operation)) {
        const table = text(input, 'TableName')
        const index = typeof input['IndexName'] === 'string' ? input['IndexName'] : undefined
        return demandsOf(call.operation, table, leadingKeys(input, find(table), index), index)
      }
      switch (call.operation) {
        case 'TransactWriteItems':
        case 'TransactGetItems':
          return list(input, 'TransactItems').flatMap((entry) => {
            const [kind = '', value] = Object.entries(entry)[0] ?? []
            const action = TRANSACTION_ACTIONS[kind]
            if (action === undefined || !isObject(value))
              throw new ServiceError('ValidationException', `unknown transaction item ${kind}`)
            const table = text(value, 'TableName')
            return demandsOf(action, table, leadingKeys(value, find(table), undefined))
          })
        case 'BatchGetItem':
        case 'BatchWriteItem':
          return Object.entries(isObject(input['RequestItems']) ? input['RequestItems'] : {}).flatMap(
            ([table, requests]) => demandsOf(call.operation, table, batchKeys(requests, find(table))),
          )
        default:
          throw new ServiceError('UnknownOperationException', `Local mode does not know dynamodb:${call.operation}`)
      }
    },
    handle: (call) => forward(upstream, call, tellCapacity ? askingForCapacity(call) : call.body),
  }
}

/** Operations that answer with it where they are asked to. */
const CONSUMING = /Item$|Items$|^Query$|^Scan$/

function askingForCapacity(call: FrontCall): Buffer {
  if (!CONSUMING.test(call.operation)) return call.body
  return Buffer.from(JSON.stringify({ ...parse(call), ReturnConsumedCapacity: 'INDEXES' }))
}

/** KMS sees which service asked on the caller's behalf. */
export function viaService(service: string, region: string): Readonly<Record<string, readonly string[]>> {
  return { 'kms:viaservice': [`${service}.${region}.amazonaws.com`] }
}

/** Streams have the ARN of the emulator on the wire, and that of the template in policies. */
export function streamsService(tables: readonly TableSpec[], upstream: Upstream): FrontService {
  const byIterator = new Map<string, string>()
  const tableOf = (streamArn: string): TableSpec | undefined => {
    const name = /:table\/([^/]+)\/stream\//.exec(streamArn)?.[1]
    return tables.find((table) => table.name === name)
  }
  const policyArn = (streamArn: string): string => tableOf(streamArn)?.streamArn ?? streamArn
  const remember = (iterator: unknown, streamArn: string | undefined): void => {
    if (typeof iterator !== 'string' || streamArn === undefined) return
    byIterator.set(iterator, streamArn)
    const oldest = byIterator.keys().next()
    if (byIterator.size > 1_000 && oldest.done !== true) byIterator.delete(oldest.value)
  }
  const streamOf = (call: FrontCall): string | undefined => {
    const input = parse(call)
    if (typeof input['StreamArn'] === 'string') return input['StreamArn']
    const iterator = input['ShardIterator']
    if (typeof iterator !== 'string') return undefined
    return byIterator.get(iterator) ?? /arn:aws:dynamodb:[^|]+\/stream\/[^|]+/.exec(iterator)?.[0]
  }
  return {
    protocol: PROTOCOL,
    demands(call) {
      const action = `dynamodb:${call.operation}`
      switch (call.operation) {
        case 'ListStreams': {
          const table = tables.find(({ name }) => name === parse(call)['TableName'])
          return [{ action, resource: table === undefined ? '*' : table.streamArn, context: {} }]
        }
        case 'DescribeStream':
        case 'GetShardIterator':
        case 'GetRecords': {
          const stream = streamOf(call)
          if (stream === undefined)
            throw new ServiceError('ResourceNotFoundException', 'Unknown stream or shard iterator')
          return [{ action, resource: policyArn(stream), context: {}, owner: tableOf(stream)?.arn ?? stream }]
        }
        default:
          throw new ServiceError('UnknownOperationException', `Local mode does not know ${action}`)
      }
    },
    async handle(call) {
      const answer = await forward(upstream, call)
      if (answer.status === 200 && (call.operation === 'GetShardIterator' || call.operation === 'GetRecords')) {
        const output: unknown = JSON.parse(answer.body.toString())
        if (isObject(output)) remember(output['ShardIterator'] ?? output['NextShardIterator'], streamOf(call))
      }
      return answer
    },
  }
}

function batchKeys(requests: unknown, table: TableSpec | undefined): readonly string[] {
  const entries = Array.isArray(requests)
    ? requests
    : isObject(requests) && Array.isArray(requests['Keys'])
      ? requests['Keys'].map((Key) => ({ Key }))
      : []
  return entries.flatMap((entry: unknown) => {
    if (!isObject(entry)) return []
    const request = entry['PutRequest'] ?? entry['DeleteRequest'] ?? entry
    return isObject(request) ? leadingKeys(request, table, undefined) : []
  })
}

export function parse(call: FrontCall): JsonObject {
  try {
    const input: unknown = JSON.parse(call.body.toString('utf8') || '{}')
    if (isObject(input)) return input
  } catch {
    // Answered below, as for any other body that is no object.
  }
  throw new ServiceError('SerializationException', 'The body is not a JSON object')
}

export function text(input: JsonObject, name: string): string {
  const value = input[name]
  if (typeof value !== 'string' || value === '') throw new ServiceError('ValidationException', `${name} is missing`)
  return value
}

function list(input: JsonObject, name: string): readonly JsonObject[] {
  const value = input[name]
  return Array.isArray(value) ? value.filter(isObject) : []
}
