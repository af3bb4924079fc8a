/** A `next` that no list of ours gave out: the caller's mistake, not the store's. */
export class InvalidCursor extends Error {
  constructor() {
    super('next: expected the value that the previous page gave')
    this.name = 'InvalidCursor'
  }
}

/** Base64url of JSON: callers pass it back and read nothing into it. */
export const encodeCursor = (place: Readonly<Record<string, string>>): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url')

/** @throws InvalidCursor unless it decodes to exactly these fields, each a non-empty text. */
export function decodeCursor<Field extends string>(cursor: string, fields: readonly Field[]): Record<Field, string> {
  let place: unknown
  try {
    place = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw new InvalidCursor()
  }
  if (typeof place !== 'object' || place === null || Array.isArray(place)) throw new InvalidCursor()
  const entries = Object.entries(place)
  if (entries.length !== fields.length) throw new InvalidCursor()
  const decoded: Partial<Record<string, string>> = {}
  for (const field of fields) {
    const value = entries.find(([name]) => name === field)?.[1]
    if (typeof value !== 'string' || value === '' || value.length > 1024) throw new InvalidCursor()
    decoded[field] = value
  }
  return decoded as Record<Field, string>
}
