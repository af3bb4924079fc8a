/** Where counts and page are kept. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fleets } from './assumptions.ts'
import { fleetOf, linesOf, standingLines, total, trafficLines } from './bill.ts'
import { type Counts, operationNames } from './counts.ts'
import { costDocument } from './document.ts'
import type { Standing } from './settings.ts'

const countsFile = new URL('./counts.json', import.meta.url)
const pageFile = new URL('../../docs/cost.md', import.meta.url)

export const readCounts = (): Counts => JSON.parse(readFileSync(countsFile, 'utf8'))
export const writeCounts = (counts: Counts): void => writeFileSync(countsFile, `${JSON.stringify(counts, null, 2)}\n`)
export const readPage = (): string => readFileSync(pageFile, 'utf8')
export const writePage = (counts: Counts, standing: Standing): void =>
  writeFileSync(pageFile, costDocument(counts, standing))

export interface CostFigure {
  readonly name: string
  readonly unit: string
  readonly connections: number
  readonly value: number
}

/** What the page says, for `--json`. */
export function costFigures(counts: Counts, standing: Standing): readonly CostFigure[] {
  const million = 1_000_000
  return [
    ...operationNames.flatMap((name): CostFigure[] => {
      const amounts = counts.operations[name]
      const sum = (what: 'requests' | 'writeUnits' | 'readUnits', service: string): number =>
        amounts.filter((amount) => amount.service === service).reduce((all, amount) => all + amount[what], 0)
      const figure = (of: string, unit: string, value: number) => ({
        name: `${name}: ${of}`,
        unit,
        connections: 1,
        value,
      })
      return [
        figure('DynamoDB requests', '', sum('requests', 'dynamodb')),
        figure('DynamoDB write units', '', sum('writeUnits', 'dynamodb')),
        figure('DynamoDB read units', '', sum('readUnits', 'dynamodb')),
        figure('SQS requests', '', sum('requests', 'sqs')),
        figure('Lambda invocations', '', sum('requests', 'lambda')),
        figure('a million, list price', 'USD', total(linesOf(amounts, million, standing, counts))),
      ]
    }),
    ...fleets.flatMap((connections): CostFigure[] => {
      const fleet = fleetOf(connections, standing)
      const idle = total(standingLines(fleet, standing, counts))
      return [
        { name: 'a month, idle', unit: 'USD', connections, value: idle },
        { name: 'a month, busy', unit: 'USD', connections, value: idle + total(trafficLines(fleet, standing, counts)) },
      ]
    }),
  ]
}
