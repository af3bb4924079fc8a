/** Condition, key and update expressions: parsed once by their text, run on an item with names and values. */
import { compare, equal, type Item, numberOf, numberValue, type Value } from './values.ts'

export interface Placeholders {
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: Item
}

export class ValidationError extends Error {}

type Condition = (item: Item, with_: Placeholders) => boolean
type Operand = (item: Item, with_: Placeholders) => Value | undefined
/** Attribute names from the item down. */
type Path = (with_: Placeholders) => readonly string[]

interface Update {
  readonly set: readonly { readonly path: Path; readonly operand: Operand }[]
  readonly remove: readonly Path[]
  readonly add: readonly { readonly path: Path; readonly operand: Operand }[]
}

const conditions = new Map<string, Condition>()
const updates = new Map<string, Update>()

export function holds(expression: string | undefined, item: Item, placeholders: Placeholders): boolean {
  if (expression === undefined) return true
  let condition = conditions.get(expression)
  if (condition === undefined) {
    condition = parsed(expression, (parser) => parser.condition())
    conditions.set(expression, condition)
  }
  return condition(item, placeholders)
}

/** The item after it, and which of its attributes it set. */
export function updated(
  expression: string | undefined,
  item: Item,
  placeholders: Placeholders,
): { readonly item: Item; readonly set: readonly string[] } {
  if (expression === undefined) return { item, set: [] }
  let update = updates.get(expression)
  if (update === undefined) {
    update = parsed(expression, (parser) => parser.update())
    updates.set(expression, update)
  }
  // Right-hand sides see the item as it was.
  const sets = update.set.map(({ path, operand }) => [path(placeholders), operand(item, placeholders)] as const)
  const adds = update.add.map(({ path, operand }) => {
    const names = path(placeholders)
    return [names, added(at(item, names), operand(item, placeholders))] as const
  })
  const changed: Record<string, Value> = { ...item }
  for (const [path, value] of [...sets, ...adds]) {
    if (value === undefined) throw new ValidationError('an operand has no value')
    put(changed, path, value)
  }
  for (const path of update.remove) remove(changed, path(placeholders))
  return { item: changed, set: [...sets, ...adds].map(([[name = '']]) => name) }
}

/** A list of paths, as in a projection. */
export function projected(expression: string | undefined, item: Item, placeholders: Placeholders): Item {
  if (expression === undefined) return item
  const names = expression.split(',').map((name) => nameOf(name.trim(), placeholders))
  return Object.fromEntries(names.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]])))
}

function at(item: Item, path: readonly string[]): Value | undefined {
  let value: Value | undefined = { M: item }
  for (const name of path) {
    if (value === undefined || !('M' in value)) return undefined
    value = value.M[name]
  }
  return value
}

/** To a number, or to a set. */
function added(before: Value | undefined, more: Value | undefined): Value {
  if (more !== undefined && 'SS' in more) {
    return { SS: [...new Set([...(before !== undefined && 'SS' in before ? before.SS : []), ...more.SS])] }
  }
  return numberValue(numberOf(more) + (before === undefined ? 0 : numberOf(before)))
}

function sizeOf(value: Value | undefined): Value | undefined {
  if (value === undefined) return undefined
  if ('S' in value) return numberValue(value.S.length)
  if ('B' in value) return numberValue(Buffer.byteLength(value.B, 'base64'))
  if ('SS' in value) return numberValue(value.SS.length)
  if ('L' in value) return numberValue(value.L.length)
  return 'M' in value ? numberValue(Object.keys(value.M).length) : undefined
}

function parentOf(item: Record<string, Value>, path: readonly string[]): Record<string, Value> {
  let parent = item
  for (const name of path.slice(0, -1)) {
    const child = parent[name]
    if (child === undefined || !('M' in child)) throw new ValidationError(`${path.join('.')}: there is no such map`)
    const copy = { ...child.M }
    parent[name] = { M: copy }
    parent = copy
  }
  return parent
}

function put(item: Record<string, Value>, path: readonly string[], value: Value): void {
  parentOf(item, path)[path.at(-1) as string] = value
}

function remove(item: Record<string, Value>, path: readonly string[]): void {
  if (at(item, path) !== undefined) delete parentOf(item, path)[path.at(-1) as string]
}

function nameOf(token: string, { ExpressionAttributeNames: names }: Placeholders): string {
  if (!token.startsWith('#')) return token
  const name = names?.[token]
  if (name === undefined) throw new ValidationError(`${token} is not among the names`)
  return name
}

const tokens = /\s*(<>|<=|>=|[=<>(),+.-]|[#:]?[A-Za-z_][\w]*)/gy

function parsed<T>(text: string, read: (parser: Parser) => T): T {
  const list: string[] = []
  tokens.lastIndex = 0
  while (tokens.lastIndex < text.trimEnd().length) {
    const match = tokens.exec(text)
    if (match === null) throw new ValidationError(`cannot read the expression ${text}`)
    list.push(match[1] as string)
  }
  const parser = new Parser(list)
  const result = read(parser)
  if (parser.next !== undefined) throw new ValidationError(`unexpected ${parser.next} in ${text}`)
  return result
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

class Parser {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(list: readonly string[]) {
    this.#tokens = list
  }

  get next(): string | undefined {
    return this.#tokens[this.#at]
  }

  condition(): Condition {
    let left = this.#conjunction()
    while (this.#takes('OR')) {
      const [one, other] = [left, this.#conjunction()]
      left = (item, with_) => one(item, with_) || other(item, with_)
    }
    return left
  }

  update(): Update {
    const update = { set: [] as Update['set'][number][], remove: [] as Path[], add: [] as Update['add'][number][] }
    while (this.next !== undefined) {
      if (this.#takes('SET')) {
        do {
          const path = this.#path()
          this.#demand('=')
          update.set.push({ path, operand: this.#sum() })
        } while (this.#takes(','))
      } else if (this.#takes('REMOVE')) {
        do update.remove.push(this.#path())
        while (this.#takes(','))
      } else if (this.#takes('ADD')) {
        do update.add.push({ path: this.#path(), operand: this.#operand() })
        while (this.#takes(','))
      } else throw new ValidationError(`unexpected ${this.next}`)
    }
    return update
  }

  #conjunction(): Condition {
    let left = this.#negation()
    while (this.#takes('AND')) {
      const [one, other] = [left, this.#negation()]
      left = (item, with_) => one(item, with_) && other(item, with_)
    }
    return left
  }

  #negation(): Condition {
    if (!this.#takes('NOT')) return this.#comparison()
    const inner = this.#negation()
    return (item, with_) => !inner(item, with_)
  }

  #comparison(): Condition {
    if (this.#takes('(')) {
      const inner = this.condition()
      this.#demand(')')
      return inner
    }
    const call = this.next
    if (call === 'attribute_exists' || call === 'attribute_not_exists') {
      const wanted = call === 'attribute_exists'
      const [path] = this.#arguments(1)
      return (item, with_) => (path?.(item, with_) !== undefined) === wanted
    }
    if (call === 'begins_with') {
      const [whole, start] = this.#arguments(2)
      return (item, with_) => {
        const [text, prefix] = [whole?.(item, with_), start?.(item, with_)]
        return text !== undefined && prefix !== undefined && 'S' in text && 'S' in prefix && text.S.startsWith(prefix.S)
      }
    }
    if (call === 'contains') {
      const [whole, part] = this.#arguments(2)
      return (item, with_) => {
        const [list, member] = [whole?.(item, with_), part?.(item, with_)]
        if (list === undefined || member === undefined) return false
        if ('L' in list) return list.L.some((each) => equal(each, member))
        if ('SS' in list) return 'S' in member && list.SS.includes(member.S)
        return 'S' in list && 'S' in member && list.S.includes(member.S)
      }
    }
    const left = this.#operand()
    const operator = this.#take()
    if (operator === 'BETWEEN') {
      const low = this.#operand()
      this.#demand('AND')
      const high = this.#operand()
      return (item, with_) => {
        const value = left(item, with_)
        const [above, below] = [compare(value, low(item, with_)), compare(value, high(item, with_))]
        return above !== undefined && below !== undefined && above >= 0 && below <= 0
      }
    }
    if (operator === 'IN') {
      this.#demand('(')
      const list = [this.#operand()]
      while (this.#takes(',')) list.push(this.#operand())
      this.#demand(')')
      return (item, with_) => {
        const value = left(item, with_)
        return value !== undefined && list.some((each) => equal(value, each(item, with_)))
      }
    }
    const right = this.#operand()
    if (operator === '=') {
      return (item, with_) => {
        const value = left(item, with_)
        return value !== undefined && equal(value, right(item, with_))
      }
    }
    if (operator === '<>') return (item, with_) => !equal(left(item, with_), right(item, with_))
    const test = comparisons[operator]
    if (test === undefined) throw new ValidationError(`unknown operator ${operator}`)
    return (item, with_) => {
      const order = compare(left(item, with_), right(item, with_))
      return order !== undefined && test(order)
    }
  }

  #sum(): Operand {
    let left = this.#operand()
    while (this.next === '+' || this.next === '-') {
      const sign = this.#take() === '+' ? 1 : -1
      const [one, other] = [left, this.#operand()]
      left = (item, with_) => numberValue(numberOf(one(item, with_)) + sign * numberOf(other(item, with_)))
    }
    return left
  }

  #operand(): Operand {
    const token = this.next
    if (token === 'if_not_exists') {
      const [path, otherwise] = this.#arguments(2)
      return (item, with_) => path?.(item, with_) ?? otherwise?.(item, with_)
    }
    if (token?.startsWith(':')) {
      this.#take()
      return (_item, { ExpressionAttributeValues: values }) => {
        const value = values?.[token]
        if (value === undefined) throw new ValidationError(`${token} is not among the values`)
        return value
      }
    }
    if (token === 'size') {
      const [path] = this.#arguments(1)
      return (item, with_) => sizeOf(path?.(item, with_))
    }
    const path = this.#path()
    return (item, with_) => at(item, path(with_))
  }

  #arguments(count: number): Operand[] {
    this.#take()
    this.#demand('(')
    const list = [this.#operand()]
    while (list.length < count) {
      this.#demand(',')
      list.push(this.#operand())
    }
    this.#demand(')')
    return list
  }

  #path(): Path {
    const parts = [this.#take()]
    while (this.#takes('.')) parts.push(this.#take())
    return (with_) => parts.map((part) => nameOf(part, with_))
  }

  #take(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new ValidationError('the expression ends too early')
    return token
  }

  #takes(token: string): boolean {
    if (this.next !== token) return false
    this.#at += 1
    return true
  }

  #demand(token: string): void {
    if (!this.#takes(token)) throw new ValidationError(`expected ${token}, got ${this.next}`)
  }
}
