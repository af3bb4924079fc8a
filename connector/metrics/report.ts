import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from '../ports.ts'
import type { MetricsRecorder } from './recorder.ts'

/** How a worker is, at a moment. */
export interface WorkerFigures {
  readonly open: number
  readonly trying: number
  readonly stopped: number
  readonly sendsWaiting: number
  readonly restoresPending: number
}

/** The delay's percentile is taken that often, so that a minute has several. */
const delayMsMax = 10_000
const nsPerMs = 1e6
const bytesPerMegabyte = 1e6

/**
 * Writes the worker's figures each `reportMs`. With a minute there is exactly one value of each gauge per worker and minute, so
 * that a fleet's sum over a minute is right.
 *
 * @returns writes what was gathered since, and ends
 */
export function reportMetrics(
  clock: Clock,
  recorder: MetricsRecorder,
  reportMs: number,
  figures: () => WorkerFigures,
): () => void {
  const delayMs = Math.min(delayMsMax, reportMs)
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const look = () => {
    recorder.duration('EventLoopDelay', delay.percentile(99) / nsPerMs)
    delay.reset()
    watching = clock.after(delayMs, look)
  }
  const report = () => {
    const { open, trying, stopped, sendsWaiting, restoresPending } = figures()
    recorder.gauge('Connections', open + trying + stopped)
    recorder.gauge('ConnectionsOpen', open)
    recorder.gauge('ConnectionsTrying', trying)
    recorder.gauge('ConnectionsStopped', stopped)
    recorder.gauge('SendsWaiting', sendsWaiting)
    recorder.gauge('RestoresPending', restoresPending)
    recorder.gauge('MemoryMegabytes', process.memoryUsage.rss() / bytesPerMegabyte)
    recorder.flush()
    reporting = clock.after(reportMs, report)
  }
  let watching = clock.after(delayMs, look)
  let reporting = clock.after(reportMs, report)
  return () => {
    watching.cancel()
    reporting.cancel()
    delay.disable()
    recorder.flush()
  }
}
