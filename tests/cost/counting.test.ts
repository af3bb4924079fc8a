import { describe, expect, it } from 'vitest'
import type { Observed } from '../../local/engine/observed.ts'
import { type IdleWindow, idleAmounts, isBackground } from './idle.ts'
import { bytesWithIndexes } from './stored.ts'
import { type Counted, type Group, Tally, unitsOf } from './tally.ts'

describe('capacity, where the emulator departs from AWS', () => {
  it('an index is written once in a transaction, the table twice', () => {
    const ConsumedCapacity = [
      { Table: { CapacityUnits: 4 }, GlobalSecondaryIndexes: { history: { CapacityUnits: 2 } } },
    ]
    expect(unitsOf('TransactWriteItems', {}, { ConsumedCapacity })).toEqual({ writeUnits: 5 })
    expect(unitsOf('PutItem', {}, { ConsumedCapacity: ConsumedCapacity[0] as object })).toEqual({ writeUnits: 6 })
  })

  it('a query that finds nothing costs the least that a read costs', () => {
    const ConsumedCapacity = { Table: { CapacityUnits: 0 } }
    expect(unitsOf('Query', {}, { ConsumedCapacity })).toEqual({ readUnits: 0.5 })
    expect(unitsOf('Query', { ConsistentRead: true }, { ConsumedCapacity })).toEqual({ readUnits: 1 })
  })

  it('a write that its condition refuses is paid for', () => {
    expect(unitsOf('UpdateItem', {}, {})).toEqual({ writeUnits: 1 })
    expect(unitsOf('TransactWriteItems', { TransactItems: [{}, {}] }, {})).toEqual({ writeUnits: 4 })
  })
})

describe('a tally', () => {
  const request = (
    by: string,
    action: string,
    resource: string,
    operation: string,
    body: object,
    answer: object,
  ): Observed =>
    ({
      kind: 'request',
      call: { principal: { kind: 'role', title: by }, operation, body: Buffer.from(JSON.stringify(body)) },
      demands: [{ action, resource, context: {} }],
      answer: { status: 200, headers: {}, body: JSON.stringify(answer) },
    }) as unknown as Observed

  it('counts by who did what to which kind of resource, and forgets what it has told', () => {
    const tally = new Tally()
    const queue = 'arn:aws:sqs:us-east-1:000000000000:holdfast-dev-partition-3.fifo'
    tally.take(request('connector 1', 'sqs:ReceiveMessage', queue, 'ReceiveMessage', {}, {}))
    tally.take(
      request('connector 2', 'sqs:ReceiveMessage', queue.replace('3', '4'), 'ReceiveMessage', {}, { Messages: [{}] }),
    )
    const table = 'arn:aws:dynamodb:us-east-1:000000000000:table/Holdfast-StoragemessagesTable1A2B/index/waiting'
    tally.take(request('function WatchdogsSweep', 'dynamodb:Query', table, 'Query', {}, {}))
    const Entries = [{ Detail: 'x' }, { Detail: 'x'.repeat(100_000) }]
    tally.take(
      request(
        'function EventsMessages',
        'events:PutEvents',
        'arn:aws:events:::event-bus/b',
        'PutEvents',
        { Entries },
        {},
      ),
    )
    tally.take({ kind: 'line', part: 'connector 1', message: '{"level":"info"}' })
    tally.take({ kind: 'line', part: 'local mode', message: 'is no part of the product' })
    const told = tally.reset()
    expect(told).toHaveLength(4)
    expect(told).toContainEqual({
      ...{ by: 'connector', service: 'sqs', operation: 'ReceiveMessage', of: 'partition queue (FIFO)' },
      ...{ requests: 2, empty: 1, writeUnits: 0, readUnits: 0, pieces: 0, bytes: 0 },
    })
    expect(told).toContainEqual(
      expect.objectContaining({ by: 'WatchdogsSweep', of: 'messages/waiting', readUnits: 0.5 }),
    )
    expect(told).toContainEqual(expect.objectContaining({ service: 'events', requests: 1, pieces: 3 }))
    expect(told).toContainEqual(expect.objectContaining({ service: 'logs', of: 'lines', bytes: 16 + 26 }))
    expect(tally.reset()).toEqual([])
  })
})

describe('what happens while it is idle', () => {
  const counted = (group: Group, requests: number): Counted => ({
    ...{ ...group, requests, empty: 0, writeUnits: requests, readUnits: 0, pieces: 0, bytes: 0 },
  })
  const renewal = { by: 'connector', service: 'dynamodb', operation: 'UpdateItem', of: 'fleet' }
  const listing = { by: 'connector', service: 'dynamodb', operation: 'Query', of: 'connections/byPartition' }
  const window = (name: string, workers: number, connections: number, counts: readonly Counted[]): IdleWindow => ({
    ...{ name, seconds: 120, workers, connections, partitions: 16, counts },
  })

  it('is told for an hour of a worker, a partition, a deployment', () => {
    const amounts = idleAmounts([
      window('one', 1, 6, [counted(renewal, 40), counted(listing, 32)]),
      window('two', 2, 12, [counted(renewal, 80), counted(listing, 32)]),
    ])
    expect(amounts).toMatchObject([
      { of: 'connections/byPartition', per: 'partition', requests: 60 },
      { of: 'fleet', per: 'worker', requests: 1_200, writeUnits: 1_200 },
    ])
  })

  it('must follow its law in every window', () => {
    const windows = [
      window('one', 1, 6, [counted(renewal, 40)]),
      window('more connections', 1, 12, [counted(renewal, 80)]),
    ]
    expect(() => idleAmounts(windows)).toThrow(/connector dynamodb UpdateItem fleet: 40 in "one", expected 60\.0/)
  })

  it('must be known', () => {
    const probe = { by: 'connector', service: 's3', operation: 'GetObject', of: 'auth bucket' }
    expect(() => idleAmounts([window('one', 1, 6, [counted(probe, 12)])])).toThrow(
      /GetObject auth bucket happened 12 times/,
    )
  })

  it('belongs to no operation; a doorbell that was taken does', () => {
    const poll = { by: 'connector', service: 'sqs', operation: 'ReceiveMessage', of: 'partition queue (FIFO)' }
    expect([isBackground(poll, true), isBackground(poll, false), isBackground(renewal, false)]).toEqual([
      true,
      false,
      true,
    ])
  })
})

it('a stored message weighs its item, whole copies in indexes, and its keys in an index of keys', () => {
  const item = {
    connectionKey: { S: 'bp#con' },
    key: { S: 'out#1' },
    createdOrder: { S: '1' },
    chatKey: { S: 'c' },
    text: { S: 'x'.repeat(500) },
  }
  const whole =
    'connectionKey'.length +
    6 +
    'key'.length +
    5 +
    'createdOrder'.length +
    1 +
    'chatKey'.length +
    1 +
    'text'.length +
    500
  const keys = whole - 'text'.length - 500
  // The table, `history`, and `byChat`, which holds keys; `waiting` holds what waits.
  expect(bytesWithIndexes('messages', [item])).toBe(2 * whole + keys + 3 * 100)
})
