/** A table in memory with its indexes, and the units that each write of it would cost. */
import { compare, equal, type Item, itemBytes, type Value } from './values.ts'

export interface KeySchema {
  readonly hash: string
  readonly range: string
}

export interface IndexSchema extends KeySchema {
  readonly name: string
  readonly keysOnly: boolean
}

const writeUnitBytes = 1_024
export const writeUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / writeUnitBytes))

/** Items of one partition key, by sort key. */
type Partition = { readonly key: Value; readonly item: Item }[]

const textOf = (value: Value): string =>
  'S' in value ? `S${value.S}` : 'N' in value ? `N${Number(value.N)}` : `B${JSON.stringify(value)}`

export class Table {
  readonly schema: KeySchema
  readonly indexes: readonly (IndexSchema & { readonly entries: Map<string, Partition> })[]
  readonly #partitions = new Map<string, Partition>()

  constructor(schema: KeySchema, indexes: readonly IndexSchema[]) {
    this.schema = schema
    this.indexes = indexes.map((index) => ({ ...index, entries: new Map() }))
  }

  get(key: Item): Item | undefined {
    const partition = this.#partitions.get(textOf(this.#value(key, this.schema.hash)))
    const range = this.#value(key, this.schema.range)
    const place = partition === undefined ? 0 : placeOf(partition, range)
    const found = partition?.[place]
    return found !== undefined && equal(found.key, range) ? found.item : undefined
  }

  /** Sets or, with undefined, deletes; returns the write units, those of the indexes on top. */
  write(key: Item, before: Item | undefined, after: Item | undefined, factor: number): number {
    change(this.#partitions, this.schema, key, after)
    let units = factor * writeUnits(Math.max(bytesOf(before), bytesOf(after)))
    for (const index of this.indexes) {
      const was = isIn(index, before) ? before : undefined
      const is = isIn(index, after) ? after : undefined
      const moved = was !== undefined && is !== undefined && !sameKeys(index, was, is)
      if (was !== undefined && (is === undefined || moved)) {
        this.#unindex(index, was)
        units += this.#indexUnits(index, was)
      }
      if (is === undefined) continue
      if (was === undefined || moved || !index.keysOnly) units += this.#indexUnits(index, is)
      if (was !== undefined && !moved) this.#unindex(index, was)
      this.#insert(index, is)
    }
    return units
  }

  /** In order of the sort key; of an index where it has a name. */
  query(indexName: string | undefined, hash: Value): readonly Item[] {
    if (indexName === undefined) return (this.#partitions.get(textOf(hash)) ?? []).map(({ item }) => item)
    const index = this.#index(indexName)
    const items = (index.entries.get(textOf(hash)) ?? []).map(({ item }) => item)
    return index.keysOnly ? items.map((item) => this.#keysOf(index, item)) : items
  }

  keysOf(indexName: string | undefined): KeySchema {
    return indexName === undefined ? this.schema : this.#index(indexName)
  }

  *scan(): IterableIterator<Item> {
    for (const partition of this.#partitions.values()) for (const { item } of partition) yield item
  }

  /** What names an item in the table, and in an index where it has a name. */
  keyOf(item: Item, indexName?: string): Item {
    const { hash, range } = this.schema
    const own = { [hash]: this.#value(item, hash), [range]: this.#value(item, range) }
    if (indexName === undefined) return own
    const index = this.#index(indexName)
    return { ...own, [index.hash]: this.#value(item, index.hash), [index.range]: this.#value(item, index.range) }
  }

  #index(name: string) {
    const index = this.indexes.find((each) => each.name === name)
    if (index === undefined) throw new Error(`there is no index ${name}`)
    return index
  }

  #keysOf(index: IndexSchema, item: Item): Item {
    return this.keyOf(item, index.name)
  }

  #indexUnits(index: IndexSchema, item: Item): number {
    return writeUnits(itemBytes(index.keysOnly ? this.#keysOf(index, item) : item))
  }

  #insert(index: (typeof this.indexes)[number], item: Item): void {
    const hash = textOf(this.#value(item, index.hash))
    const partition = index.entries.get(hash) ?? []
    index.entries.set(hash, partition)
    const key = this.#value(item, index.range)
    partition.splice(placeOf(partition, key), 0, { key, item })
  }

  #unindex(index: (typeof this.indexes)[number], item: Item): void {
    const hash = textOf(this.#value(item, index.hash))
    const partition = index.entries.get(hash) ?? []
    const key = this.#value(item, index.range)
    for (let at = placeOf(partition, key); at < partition.length; at += 1) {
      const there = partition[at]
      if (there === undefined || !equal(there.key, key)) return
      if (!sameKeys(this.schema, there.item, item)) continue
      partition.splice(at, 1)
      if (partition.length === 0) index.entries.delete(hash)
      return
    }
  }

  #value(item: Item, name: string): Value {
    const value = item[name]
    if (value === undefined) throw new Error(`the key lacks ${name}`)
    return value
  }
}

function change(
  partitions: Map<string, Partition>,
  { hash, range }: KeySchema,
  key: Item,
  item: Item | undefined,
): void {
  const name = textOf(key[hash] as Value)
  const sort = key[range] as Value
  const partition = partitions.get(name) ?? []
  const place = placeOf(partition, sort)
  const there = partition[place] !== undefined && equal(partition[place].key, sort)
  if (item === undefined) {
    if (there) partition.splice(place, 1)
    if (partition.length === 0) partitions.delete(name)
    return
  }
  partition.splice(place, there ? 1 : 0, { key: sort, item })
  partitions.set(name, partition)
}

/** Where the first one stands that is not before the key. */
function placeOf(partition: Partition, key: Value): number {
  let low = 0
  let high = partition.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((compare(partition[middle]?.key, key) ?? 0) < 0) low = middle + 1
    else high = middle
  }
  return low
}

const bytesOf = (item: Item | undefined): number => (item === undefined ? 0 : itemBytes(item))
const isIn = ({ hash, range }: KeySchema, item: Item | undefined): boolean =>
  item?.[hash] !== undefined && item[range] !== undefined
const sameKeys = ({ hash, range }: KeySchema, a: Item, b: Item): boolean =>
  equal(a[hash], b[hash]) && equal(a[range], b[range])
