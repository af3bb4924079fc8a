/**
 * A container's health check, run for real. Until it first succeeds it is tried each second, so that a local deploy need not
 * wait a whole interval; failures within the start period do not count, as on ECS.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { HealthCheckSpec } from '../template/specs.ts'
import { type Launch, runCheck } from './process.ts'

const FIRST_TRIES_MS = 1_000

export function watchHealth(
  check: HealthCheckSpec,
  launch: Launch,
  signal: AbortSignal,
  onChange: (health: 'HEALTHY' | 'UNHEALTHY') => void,
): void {
  const [form, ...words] = check.command
  const command = form === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words
  const beginning = Date.now()
  const run = async (): Promise<void> => {
    let failures = 0
    let wasHealthy = false
    while (!signal.aborted) {
      const waitMs = wasHealthy ? check.intervalMs : Math.min(FIRST_TRIES_MS, check.intervalMs)
      await delay(waitMs, undefined, { signal })
      const healthy = await runCheck({ ...launch, command }, check.timeoutMs)
      if (signal.aborted) return
      if (healthy) {
        failures = 0
        if (!wasHealthy) onChange('HEALTHY')
        wasHealthy = true
        continue
      }
      if (!wasHealthy && Date.now() - beginning < check.startPeriodMs) continue
      failures += 1
      if (failures >= check.retries) return onChange('UNHEALTHY')
    }
  }
  run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
