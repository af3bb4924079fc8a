/** Attribute values as DynamoDB's JSON has them, and what they weigh. */

export type Value =
  | { readonly S: string }
  | { readonly N: string }
  | { readonly B: string }
  | { readonly BOOL: boolean }
  | { readonly NULL: true }
  | { readonly SS: readonly string[] }
  | { readonly L: readonly Value[] }
  | { readonly M: Item }

export type Item = Readonly<Record<string, Value>>

export const numberValue = (value: number): Value => ({ N: String(value) })

export function numberOf(value: Value | undefined): number {
  if (value === undefined || !('N' in value)) throw new Error('expected a number')
  return Number(value.N)
}

export function equal(a: Value | undefined, b: Value | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a === b) return true
  if ('S' in a) return 'S' in b && a.S === b.S
  if ('N' in a) return 'N' in b && Number(a.N) === Number(b.N)
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Of two texts, two numbers or two byte strings; undefined for all others. */
export function compare(a: Value | undefined, b: Value | undefined): number | undefined {
  if (a === undefined || b === undefined) return undefined
  if ('S' in a && 'S' in b) return a.S < b.S ? -1 : a.S > b.S ? 1 : 0
  if ('N' in a && 'N' in b) return Number(a.N) - Number(b.N)
  if ('B' in a && 'B' in b) return Buffer.compare(Buffer.from(a.B, 'base64'), Buffer.from(b.B, 'base64'))
  return undefined
}

/** By AWS's rules: names and texts in UTF-8, numbers half a byte a digit, three bytes for a list or a map and one a member. */
export function itemBytes(item: Item): number {
  const known = sizes.get(item)
  if (known !== undefined) return known
  let bytes = 0
  for (const [name, value] of Object.entries(item)) bytes += Buffer.byteLength(name) + valueBytes(value)
  sizes.set(item, bytes)
  return bytes
}

const sizes = new WeakMap<Item, number>()

function valueBytes(value: Value): number {
  if ('S' in value) return Buffer.byteLength(value.S)
  if ('N' in value) return Math.ceil(value.N.length / 2) + 1
  if ('B' in value) return Buffer.byteLength(value.B, 'base64')
  if ('SS' in value) return value.SS.reduce((bytes, member) => bytes + Buffer.byteLength(member), 0)
  if ('L' in value) return value.L.reduce((bytes, member) => bytes + valueBytes(member) + 1, 3)
  if ('M' in value) return itemBytes(value.M) + Object.keys(value.M).length + 3
  return 1
}
