/**
 * How large the scenarios are. As a rule small enough for every run of the tests; the long version:
 *
 *   HOLDFAST_CONNECTIONS=50 HOLDFAST_SENDS=5000 HOLDFAST_INBOUND=1000 HOLDFAST_BY_THE_CLOCK=1 HOLDFAST_STROKES=10 \
 *   HOLDFAST_BOUND_MS=300000 npm run test:scenarios -- tests/guarantees/messages.test.ts
 *
 * It takes half an hour. With TMPDIR in memory, as in /dev/shm, the emulated tables cost no time at the disk.
 */
const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

export const size = {
  connections: number('HOLDFAST_CONNECTIONS', 4),
  /** In each scenario, through all three ways together. */
  sends: number('HOLDFAST_SENDS', 120),
  inbound: number('HOLDFAST_INBOUND', 60),
  /** Kills in each scenario, a deployment among them. */
  strokes: number('HOLDFAST_STROKES', 3),
  /** Kills every 5 to 10 s instead; figures are printed. */
  byTheClock: process.env.HOLDFAST_BY_THE_CLOCK !== undefined,
  workers: 2,
  seed: number('HOLDFAST_SEED', Date.now() % 1_000_000),
  /** Until everything is where it belongs. */
  boundMs: number('HOLDFAST_BOUND_MS', 60_000),
} as const
