/** What a run made AWS do, counted by who did what to which resource. */
import type { Observed } from '../../local/engine/observed.ts'
import { tableNames } from '../../shared/aws/tables.ts'

/** One kind of thing that AWS charges for, or would if it were not free. */
export interface Group {
  /** `connector`, a function's title, or `caller` for who uses the product. */
  readonly by: string
  /** As signatures name it; `lambda` for invocations, `logs` for lines. */
  readonly service: string
  readonly operation: string
  /** A table with its index, a kind of queue, a bucket; of an invocation who caused it. */
  readonly of: string
}

export interface Count {
  requests: number
  /** Receives that brought nothing. */
  empty: number
  writeUnits: number
  readUnits: number
  /** Of frames to sockets, of up to 32 KB; of events, of up to 64 KB. */
  pieces: number
  /** Of lines, with what CloudWatch adds to each. */
  bytes: number
}

export type Counted = Group & Readonly<Count>

/** CloudWatch Logs counts so many bytes beside each line's own. */
const lineBytesMore = 26
const framePieceBytes = 32 * 1024
const eventPieceBytes = 64 * 1024

export class Tally {
  readonly #counts = new Map<string, Group & Count>()
  readonly #listeners = new Set<(group: Group, empty: boolean) => void>()

  readonly take = (observed: Observed): void => {
    switch (observed.kind) {
      case 'invocation':
        this.#add(
          { by: observed.functionTitle, service: 'lambda', operation: 'Invoke', of: observed.source.service },
          {},
        )
        return
      case 'line': {
        const by = producerOf(observed.part)
        if (by === undefined) return
        // Figures that the worker writes once a minute are no part of any operation.
        const of = observed.message.includes('"_aws"') ? 'metrics' : 'lines'
        this.#add(
          { by, service: 'logs', operation: 'PutLogEvents', of },
          { bytes: Buffer.byteLength(observed.message) + lineBytesMore },
        )
        return
      }
      case 'request':
        this.#request(observed)
    }
  }

  listen(listener: (group: Group, empty: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** What was counted since the last time, or since the beginning. */
  reset(): readonly Counted[] {
    const counted = [...this.#counts.values()]
    this.#counts.clear()
    return counted.sort((a, b) => keyOf(a).localeCompare(keyOf(b)))
  }

  #request({ call, demands, answer }: Extract<Observed, { kind: 'request' }>): void {
    const [first] = demands
    const [service = '', action = ''] = first?.action.split(':') ?? []
    const operation = call.operation === '' ? action : call.operation
    const streams = service === 'dynamodb' && /Stream|GetRecords|GetShardIterator/.test(operation)
    const group = {
      by: callerOf(call.principal.kind, call.principal.title),
      service: streams ? 'streams' : service,
      operation,
      of: resourceOf(first?.resource ?? ''),
    }
    if (service === 'dynamodb' && !streams) {
      this.#add(group, unitsOf(operation, JSON.parse(call.body.toString()), JSON.parse(String(answer?.body ?? '{}'))))
    } else if (operation === 'ReceiveMessage') {
      const { Messages = [] } = JSON.parse(String(answer?.body ?? '{}'))
      this.#add(group, { empty: Messages.length === 0 ? 1 : 0 })
    } else if (service === 'execute-api') {
      this.#add(group, { pieces: piecesOf(call.body.length, framePieceBytes) })
    } else if (service === 'events') {
      const { Entries = [] }: { Entries?: readonly object[] } = JSON.parse(call.body.toString())
      const pieces = Entries.map((entry) => piecesOf(JSON.stringify(entry).length, eventPieceBytes))
      this.#add(group, { pieces: pieces.reduce((sum, each) => sum + each, 0) })
    } else {
      this.#add(group, {})
    }
  }

  #add(group: Group, counted: Partial<Count>): void {
    const key = keyOf(group)
    const count = this.#counts.get(key) ?? {
      ...group,
      requests: 0,
      empty: 0,
      writeUnits: 0,
      readUnits: 0,
      pieces: 0,
      bytes: 0,
    }
    this.#counts.set(key, count)
    count.requests += 1
    count.empty += counted.empty ?? 0
    count.writeUnits += counted.writeUnits ?? 0
    count.readUnits += counted.readUnits ?? 0
    count.pieces += counted.pieces ?? 0
    count.bytes += counted.bytes ?? 0
    for (const listener of this.#listeners) listener(group, (counted.empty ?? 0) > 0)
  }
}

const piecesOf = (bytes: number, pieceBytes: number): number => Math.max(1, Math.ceil(bytes / pieceBytes))

export const keyOf = ({ by, service, operation, of }: Group): string => `${by}\n${service}\n${operation}\n${of}`

function callerOf(kind: string, title: string): string {
  if (kind === 'root') return 'caller'
  return producerOf(title) ?? title
}

/** Of a principal or a part of the log: who it is in the product. */
function producerOf(title: string): string | undefined {
  if (/^connector\b/.test(title)) return 'connector'
  return /^function (\S+)/.exec(title)?.[1]
}

function resourceOf(arn: string): string {
  const table = /:table\/([^/]+)(?:\/index\/([^/]+))?/.exec(arn)
  if (table !== null) {
    const name = tableNames.find((each) => table[1]?.toLowerCase().includes(`storage${each}table`)) ?? table[1]
    return table[2] === undefined ? `${name}` : `${name}/${table[2]}`
  }
  const name = arn.split(':').at(-1) ?? ''
  if (/partition-\d+\.fifo$/.test(name)) return 'partition queue (FIFO)'
  if (/:sqs:/.test(arn)) return /\.fifo$/.test(name) ? 'queue (FIFO)' : 'queue'
  return arn.includes(':s3:') ? (/authbucket/i.test(name) ? 'auth bucket' : 'bucket') : ''
}

interface Capacity {
  readonly Table?: { readonly CapacityUnits: number }
  readonly GlobalSecondaryIndexes?: Readonly<Record<string, { readonly CapacityUnits: number }>>
}

/**
 * What the emulator says was consumed, made right where it departs from AWS: writes of indexes count once in a transaction, too, a
 * query that finds nothing costs the least that a read costs, and a write that its condition refuses is paid for.
 */
export function unitsOf(operation: string, input: Request, answer: Response): Partial<Count> {
  const told = [answer.ConsumedCapacity ?? []].flat()
  const transaction = operation.startsWith('Transact')
  const sum = told.reduce((total, { Table, GlobalSecondaryIndexes = {} }) => {
    const indexes = Object.values(GlobalSecondaryIndexes).reduce((units, { CapacityUnits }) => units + CapacityUnits, 0)
    return total + (Table?.CapacityUnits ?? 0) + indexes / (transaction ? 2 : 1)
  }, 0)
  if (/^(Get|BatchGet|TransactGet|Query|Scan)/.test(operation)) {
    return { readUnits: Math.max(sum, input.ConsistentRead === true ? 1 : 0.5) }
  }
  if (!/^(Put|Update|Delete|BatchWrite|TransactWrite)/.test(operation)) return {}
  const refused = transaction ? 2 * (input.TransactItems?.length ?? 1) : 1
  return { writeUnits: told.length === 0 ? refused : sum }
}

interface Request {
  readonly ConsistentRead?: boolean
  readonly TransactItems?: readonly unknown[]
}
interface Response {
  readonly ConsumedCapacity?: Capacity | readonly Capacity[]
}
