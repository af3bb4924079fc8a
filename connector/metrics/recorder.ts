import { embeddedMetrics, type Figure, type MetricName, type metrics, valuesMax } from '../../shared/domain/metrics.ts'

type NamesOf<Kind> = { [Name in MetricName]: (typeof metrics)[Name]['kind'] extends Kind ? Name : never }[MetricName]

/** What the code that is measured knows. Costs a map entry; nothing is written before `flush`. */
export interface Recorder {
  /** @param of value of the metric's own dimension */
  count(name: NamesOf<'count'>, of?: string): void
  gauge(name: NamesOf<'gauge'>, value: number): void
  duration(name: NamesOf<'duration'>, ms: number): void
}

interface Sample {
  readonly values: number[]
  seen: number
}

/** Gathers figures and writes them as one or a few lines: a log line for each append would cost more than the append. */
export class MetricsRecorder implements Recorder {
  readonly #stage: string
  readonly #now: () => number
  readonly #random: () => number
  readonly #write: (line: string) => void
  #counts = new Map<string, { readonly name: MetricName; readonly of?: string; value: number }>()
  #gauges = new Map<MetricName, number>()
  #durations = new Map<MetricName, Sample>()

  constructor(stage: string, now: () => number, random: () => number, write: (line: string) => void) {
    this.#stage = stage
    this.#now = now
    this.#random = random
    this.#write = write
  }

  count(name: NamesOf<'count'>, of?: string): void {
    const key = `${name}#${of ?? ''}`
    const counted = this.#counts.get(key)
    if (counted === undefined) this.#counts.set(key, { name, ...(of === undefined ? {} : { of }), value: 1 })
    else counted.value++
  }

  gauge(name: NamesOf<'gauge'>, value: number): void {
    this.#gauges.set(name, value)
  }

  /** Keeps a random hundred of all (reservoir sampling), so that the percentiles are those of the whole minute. */
  duration(name: NamesOf<'duration'>, ms: number): void {
    const sample = this.#durations.get(name) ?? { values: [], seen: 0 }
    this.#durations.set(name, sample)
    sample.seen++
    if (sample.values.length < valuesMax) {
      sample.values.push(ms)
      return
    }
    const place = Math.floor(this.#random() * sample.seen)
    if (place < valuesMax) sample.values[place] = ms
  }

  flush(): void {
    const figures: Figure[] = [
      ...this.#counts.values(),
      ...[...this.#gauges].map(([name, value]) => ({ name, value })),
      ...[...this.#durations].map(([name, { values }]) => ({ name, value: values })),
    ]
    this.#counts = new Map()
    this.#gauges = new Map()
    this.#durations = new Map()
    for (const line of embeddedMetrics(this.#stage, this.#now(), figures)) this.#write(line)
  }
}
