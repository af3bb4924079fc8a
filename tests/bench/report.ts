/** Figures of a bench: medians over its runs, the baseline's beside them, their ratio, and what was to be reached. */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'

export interface Samples {
  readonly median: number
  readonly runs: readonly number[]
}

/** What must hold: of our own figure, or of its ratio to the baseline's. */
export interface Target {
  readonly of: 'figure' | 'ratio'
  readonly atMost: number
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly connections: number
  readonly holdfast: Samples
  readonly baseline?: Samples
  readonly ratio?: number
  readonly target?: Target & { readonly met: boolean }
}

export interface Report {
  readonly bench: string
  readonly command: string
  readonly baseline: string
  readonly startedAt: string
  readonly seconds: number
  readonly machine: {
    readonly cpus: number
    readonly model: string
    readonly memoryGiB: number
    readonly node: string
    /** One-minute load averages when the bench began and ended. */
    readonly load: readonly [number, number]
  }
  readonly figures: readonly Figure[]
}

/** Collects samples by name; a figure has one for each run. */
export class Figures {
  readonly #rows = new Map<string, { name: string; unit: string; connections: number; target?: Target }>()
  readonly #samples = new Map<string, { holdfast: number[]; baseline: number[] }>()

  add(
    side: 'holdfast' | 'baseline',
    connections: number,
    name: string,
    unit: string,
    value: number,
    target?: Target,
  ): void {
    const key = `${connections} ${name}`
    const row = this.#rows.get(key) ?? { name, unit, connections }
    this.#rows.set(key, target === undefined ? row : { ...row, target })
    const samples = this.#samples.get(key) ?? { holdfast: [], baseline: [] }
    samples[side].push(value)
    this.#samples.set(key, samples)
  }

  all(): Figure[] {
    return [...this.#rows].map(([key, { target, ...row }]) => {
      const samples = this.#samples.get(key)
      const holdfast = summary(samples?.holdfast ?? [])
      if (samples === undefined || samples.baseline.length === 0) {
        return { ...row, holdfast, ...(target && { target: { ...target, met: holdfast.median <= target.atMost } }) }
      }
      const baseline = summary(samples.baseline)
      const ratio = rounded(holdfast.median / baseline.median)
      const met = (target?.of === 'ratio' ? ratio : holdfast.median) <= (target?.atMost ?? 0)
      return { ...row, holdfast, baseline, ratio, ...(target && { target: { ...target, met } }) }
    })
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Of the values, so many in a hundred are at most that. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

function summary(values: readonly number[]): Samples {
  return { median: rounded(median(values)), runs: values.map(rounded) }
}

const rounded = (value: number): number => Number(value.toPrecision(4))

export async function report(
  bench: string,
  command: string,
  baseline: string,
  measure: (figures: Figures) => Promise<void>,
): Promise<Report> {
  const started = Date.now()
  const loadBefore = loadavg()[0] ?? 0
  const figures = new Figures()
  await measure(figures)
  return {
    bench,
    command,
    baseline,
    startedAt: new Date(started).toISOString(),
    seconds: Math.round((Date.now() - started) / 1_000),
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model ?? 'unknown',
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      load: [rounded(loadBefore), rounded(loadavg()[0] ?? 0)],
    },
    figures: figures.all(),
  }
}

export function printTable({ figures, baseline }: Report): void {
  const samples = ({ median: middle, runs }: Samples): string =>
    runs.length === 1 ? `${middle}` : `${middle} (${runs.join(', ')})`
  const rows = figures.map((figure) => [
    String(figure.connections),
    figure.name,
    figure.unit,
    samples(figure.holdfast),
    figure.baseline === undefined ? '' : samples(figure.baseline),
    figure.ratio === undefined ? '' : String(figure.ratio),
    figure.target === undefined
      ? ''
      : `${figure.target.of === 'ratio' ? 'ratio ' : ''}≤ ${figure.target.atMost}: ${figure.target.met ? 'met' : 'MISSED'}`,
  ])
  const table = [['conn.', 'figure', 'unit', 'holdfast', 'baseline', 'ratio', 'target'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of table) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
  process.stdout.write(`\nMedians; the single runs in brackets. Baseline: ${baseline}\n`)
}

export function writeJson(file: string, result: Report): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
}
