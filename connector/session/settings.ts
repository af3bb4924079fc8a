import type { SessionSettings } from '../ports.ts'
import type { LoginGateSettings } from './login-gate.ts'

/** What `design.md` promises: series of 5 to 80 s, slow lane of 15 minutes, a dead socket found within 90 s. */
export const defaultSessionSettings: SessionSettings = {
  backoffBaseMs: 5_000,
  backoffAttemptsMax: 5,
  backoffJitter: 0.2,
  stableAfterMs: 60_000,
  slowLaneMs: 15 * 60_000,
  wakeGapMs: 60_000,
  openTimeoutMs: 20_000,
  quarantineMs: 15 * 60_000,
  ackTimeoutMs: 4_000,
  probeIntervalMs: 60_000,
  probeTimeoutMs: 5_000,
  sendTimeoutMs: 30_000,
  inFlightMax: 16,
}

export const defaultLoginGateSettings: LoginGateSettings = {
  concurrency: 40,
  ratePerSecond: 250,
  rampRatePerSecond: 100,
  jitter: 0.2,
  outageFailuresMin: 5,
  outageShare: 0.5,
  outageWindowMs: 30_000,
  probesMax: 3,
  probeDelayFirstMs: 500,
  probeDelayMaxMs: 15_000,
  reachIntervalMs: 15_000,
  reachTimeoutMs: 5_000,
  scoutGapMs: 60_000,
  // Longer than WhatsApp was ever away.
  scoutForMs: 8 * 3_600_000,
  provenAfterMs: 30_000,
}
