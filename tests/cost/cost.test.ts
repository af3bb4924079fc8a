import { beforeAll, describe, expect, it } from 'vitest'
import { fleets } from './assumptions.ts'
import { fleetOf, linesOf, standingLines, total, trafficLines } from './bill.ts'
import type { Amount, Counts } from './counts.ts'
import { costDocument, staleness } from './document.ts'
import { readCounts, readPage } from './files.ts'
import { type PriceName, prices } from './prices.ts'
import { settingsNow } from './settings.ts'

let counts: Counts
let now: ReturnType<typeof settingsNow>
beforeAll(() => {
  counts = readCounts()
  now = settingsNow()
})

const nothing = { requests: 0, writeUnits: 0, readUnits: 0, pieces: 0, bytes: 0 }

describe('docs/cost.md', () => {
  it('was counted under the settings, tables and mappings that are there now; else `npm run bench -- cost --write`', () => {
    expect(staleness(counts, now.counted)).toEqual([])
  })

  it('is what the counts, prices and the template give; else `npm run bench -- cost --render`', () => {
    expect(readPage()).toBe(costDocument(counts, now.standing))
  })

  it('says what has changed since it was counted', () => {
    const { tables } = now.counted
    const changed = { ...now.counted, renewMs: 1_000, tables: { ...tables, fleet: 'byAge, no stream' } }
    expect(staleness(counts, changed)).toEqual([
      'renewMs was 3000 when it was counted and is 1000',
      'tables.fleet was no stream when it was counted and is byAge, no stream',
    ])
  })
})

describe('the bill', () => {
  it('has a price for everything that was counted, each from a page of AWS', () => {
    for (const amounts of Object.values(counts.operations))
      expect(total(linesOf(amounts, 1, now.standing, counts))).toBeGreaterThan(0)
    for (const { source } of Object.values(prices))
      expect(source).toMatch(/^https:\/\/aws\.amazon\.com\/[a-z0-9/-]+pricing\//)
  })

  it('refuses what it has no price for', () => {
    const unknown: Amount = {
      by: 'connector',
      service: 'kinesis',
      operation: 'PutRecord',
      of: '',
      ...nothing,
      requests: 1,
    }
    expect(() => linesOf([unknown], 1, now.standing, counts)).toThrow('a price for kinesis PutRecord')
    const nameless: Amount = { by: 'Nobody', service: 'lambda', operation: 'Invoke', of: '', ...nothing, requests: 1 }
    expect(() => linesOf([nameless], 1, now.standing, counts)).toThrow('the memory of the function Nobody')
  })

  it('takes units, requests, gigabyte-seconds and bytes at their prices, a journal entry once more for its end', () => {
    const group = { by: 'connector', of: 'auth' }
    const append: Amount = {
      ...group,
      service: 'dynamodb',
      operation: 'TransactWriteItems',
      ...nothing,
      requests: 1,
      writeUnits: 6,
    }
    const quantities = sumsOf(linesOf([append], 10, now.standing, counts))
    // The check of the head takes two, the put four, its end two.
    expect(quantities).toEqual({ dynamodbWrites: 80, dynamodbReads: 0, s3Writes: 10 / counts.settings.compactEntries })

    const invoked: Amount = {
      ...group,
      by: 'LivePublishMessages',
      service: 'lambda',
      operation: 'Invoke',
      ...nothing,
      requests: 2,
    }
    expect(sumsOf(linesOf([invoked], 1, now.standing, counts))).toMatchObject({
      lambdaRequests: 2,
      lambdaArm: 2 * 0.05,
    })
  })

  it('has as many workers as scaling would run, and partitions for them', () => {
    expect(fleets.map((connections) => fleetOf(connections, now.standing))).toEqual([
      { connections: 10, workers: 2, partitions: 16 },
      { connections: 1_000, workers: 2, partitions: 16 },
      { connections: 100_000, workers: 128, partitions: 128 },
    ])
    const large = { ...now.standing, settings: { ...now.standing.settings, maxConnectionsPerWorker: 5_000 } }
    expect(fleetOf(100_000, large).workers).toBe(34)
  })

  it('grows with connections by their traffic alone, while the same workers hold them', () => {
    const of = (connections: number) => fleetOf(connections, now.standing)
    const idle = (connections: number) => total(standingLines(of(connections), now.standing, counts))
    expect(idle(1_000) - idle(10)).toBeLessThan(5)
    const busy = (connections: number) => total(trafficLines(of(connections), now.standing, counts))
    expect(busy(1_000) / busy(10)).toBeCloseTo(100, 6)
    expect(total(trafficLines(of(10), now.standing, counts, { sends: 0, received: 0, losses: 0 }))).toBeLessThan(0.01)
  })

  it('counts reads of the fleet’s rows by their size: every worker reads the rows of all', () => {
    const reads = (workers: number): number => {
      const lines = standingLines({ connections: 10, workers, partitions: 128 }, now.standing, counts)
      return lines
        .filter(({ what }) => what === 'leases and looks: reads')
        .reduce((sum, { quantity }) => sum + quantity, 0)
    }
    const perWorker = (workers: number): number => reads(workers) / workers
    expect(perWorker(128) - perWorker(1)).toBeGreaterThan(0)
    expect(reads(2)).toBe(2 * reads(1))
  })
})

function sumsOf(lines: ReturnType<typeof linesOf>): Partial<Record<PriceName, number>> {
  const sums: Partial<Record<PriceName, number>> = {}
  for (const { price, quantity } of lines) sums[price] = (sums[price] ?? 0) + quantity
  return sums
}
