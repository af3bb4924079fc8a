/** DynamoDB's JSON, 1.0: inputs and outputs of the document client's commands, with plain values in place of typed ones. */

/** A value that only the SDK knows how to write. */
export class NotEncodable extends Error {}

const valueFields = new Set(['Key', 'Item', 'ExpressionAttributeValues', 'ExclusiveStartKey'])

/** The request's body for a command's input. @throws NotEncodable */
export function encodeInput(input: object): string {
  const members: string[] = []
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue
    members.push(`${JSON.stringify(name)}:${encodeField(name, value)}`)
  }
  return `{${members.join(',')}}`
}

function encodeField(name: string, value: unknown): string {
  if (valueFields.has(name)) return encodeMembers(value as object)
  if (name === 'Keys') return `[${(value as readonly object[]).map(encodeMembers).join(',')}]`
  if (name === 'RequestItems') {
    const tables = Object.entries(value as Readonly<Record<string, object>>)
    return `{${tables.map(([table, request]) => `${JSON.stringify(table)}:${encodeInput(request)}`).join(',')}}`
  }
  if (name !== 'TransactItems') return JSON.stringify(value)
  const items = (value as readonly Record<string, object>[]).map(
    (item) => `{${Object.entries(item).map(([kind, write]) => `"${kind}":${encodeInput(write)}`)}}`,
  )
  return `[${items.join(',')}]`
}

function encodeMembers(map: object): string {
  const members: string[] = []
  for (const [name, value] of Object.entries(map)) {
    if (value !== undefined) members.push(`${JSON.stringify(name)}:${encodeValue(value)}`)
  }
  return `{${members.join(',')}}`
}

function encodeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `{"S":${JSON.stringify(value)}}`
    case 'number':
      if (!Number.isFinite(value)) throw new NotEncodable(`number: ${value}`)
      return `{"N":"${value}"}`
    case 'boolean':
      return `{"BOOL":${value}}`
    case 'object':
      if (value === null) return '{"NULL":true}'
      if (value instanceof Uint8Array) {
        return `{"B":"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"}`
      }
      if (Array.isArray(value)) return `{"L":[${value.map(encodeValue).join(',')}]}`
      if (isPlain(value)) return `{"M":${encodeMembers(value)}}`
  }
  throw new NotEncodable(`a value of type ${typeof value}`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

type Typed = Readonly<Record<string, unknown>>

/** A command's output from the body of an answer. */
export function decodeOutput(text: string): object {
  const output = JSON.parse(text) as Record<string, unknown>
  for (const name of ['Attributes', 'Item', 'LastEvaluatedKey']) {
    const map = output[name]
    if (map !== undefined) output[name] = decodeMembers(map as Typed)
  }
  if (Array.isArray(output['Items'])) output['Items'] = output['Items'].map((item) => decodeMembers(item as Typed))
  for (const [table, items] of Object.entries((output['Responses'] ?? {}) as Readonly<Record<string, Typed[]>>)) {
    ;(output['Responses'] as Record<string, object[]>)[table] = items.map((item) => decodeMembers(item as Typed))
  }
  for (const request of Object.values(
    (output['UnprocessedKeys'] ?? {}) as Readonly<Record<string, { Keys: object[] }>>,
  )) {
    request.Keys = request.Keys.map((key) => decodeMembers(key as Typed))
  }
  return output
}

function decodeMembers(map: Typed): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const name in map) plain[name] = decodeValue(map[name] as Typed)
  return plain
}

function decodeValue(typed: Typed): unknown {
  for (const type in typed) {
    const value = typed[type]
    switch (type) {
      case 'S':
      case 'BOOL':
        return value
      case 'N':
        return Number(value)
      case 'NULL':
        return null
      case 'B':
        return new Uint8Array(Buffer.from(value as string, 'base64'))
      case 'L':
        return (value as readonly Typed[]).map(decodeValue)
      case 'M':
        return decodeMembers(value as Typed)
    }
  }
  throw new Error(`an attribute of type ${Object.keys(typed).join()}: expected one of S, N, B, BOOL, NULL, L, M`)
}
