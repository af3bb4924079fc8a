/** `dynamodb:LeadingKeys`: the partition key values that a call touches, read from its item, its key or its key condition. */
import { isObject, type JsonObject } from '../template/json.ts'
import type { TableSpec } from '../template/specs.ts'

export function leadingKeys(
  input: JsonObject,
  table: TableSpec | undefined,
  index: string | undefined,
): readonly string[] {
  const keyName =
    index === undefined ? table?.partitionKey : table?.indexes.find(({ name }) => name === index)?.partitionKey
  if (keyName === undefined) return []
  for (const holder of [input['Key'], input['Item']]) {
    if (isObject(holder)) return plain(holder[keyName])
  }
  const condition = input['KeyConditionExpression']
  return typeof condition === 'string' ? conditionKey(condition, keyName, input) : []
}

/** The `name = :value` of a key condition that is about the partition key. */
function conditionKey(condition: string, keyName: string, input: JsonObject): readonly string[] {
  const names = isObject(input['ExpressionAttributeNames']) ? input['ExpressionAttributeNames'] : {}
  const values = isObject(input['ExpressionAttributeValues']) ? input['ExpressionAttributeValues'] : {}
  for (const [, name = '', value = ''] of condition.matchAll(/([#\w.-]+)\s*=\s*(:\w+)/g)) {
    if ((name.startsWith('#') ? names[name] : name) === keyName) return plain(values[value])
  }
  return []
}

/** `{ S: 'x' }` is `x`. */
function plain(value: unknown): readonly string[] {
  if (!isObject(value)) return []
  const [inner] = Object.values(value)
  return typeof inner === 'string' ? [inner] : []
}
