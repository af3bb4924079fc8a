/**
 * Expressions are written with `#name` for every attribute, so that no reserved word can break one; the name table that
 * DynamoDB wants follows from the text.
 */
export function attributeNames(...texts: readonly (string | undefined)[]): Record<string, string> {
  const names: Record<string, string> = {}
  for (const text of texts) {
    for (const [placeholder, name] of text?.matchAll(/#(\w+)/g) ?? []) names[placeholder] = name as string
  }
  return names
}

export interface Change {
  /** `undefined` leaves the attribute as it is, `null` removes it. */
  readonly set?: Readonly<Record<string, unknown>>
  /** Right-hand sides, e.g. `{ version: '#version + :one' }`. */
  readonly compute?: Readonly<Record<string, string>>
  readonly condition: string
  /** For `compute` and `condition`. */
  readonly values?: Readonly<Record<string, unknown>>
}

/** What an update of one item, alone or in a transaction, says; a false condition brings the stored item back. */
export function update(table: string, key: Readonly<Record<string, unknown>>, change: Change) {
  const assignments: string[] = []
  const removals: string[] = []
  const values: Record<string, unknown> = { ...change.values }
  for (const [name, value] of Object.entries(change.set ?? {})) {
    if (value === undefined) continue
    if (value === null) {
      removals.push(`#${name}`)
      continue
    }
    assignments.push(`#${name} = :set_${name}`)
    values[`:set_${name}`] = value
  }
  for (const [name, text] of Object.entries(change.compute ?? {})) assignments.push(`#${name} = ${text}`)
  const expression = [
    ...(assignments.length === 0 ? [] : [`SET ${assignments.join(', ')}`]),
    ...(removals.length === 0 ? [] : [`REMOVE ${removals.join(', ')}`]),
  ].join(' ')
  return {
    TableName: table,
    Key: { ...key },
    UpdateExpression: expression,
    ConditionExpression: change.condition,
    ExpressionAttributeNames: attributeNames(expression, change.condition),
    ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  }
}

/** A put of a whole item under a condition, alone or in a transaction. */
export function putIf(table: string, item: object, condition: string) {
  return {
    TableName: table,
    Item: { ...item },
    ConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  }
}
