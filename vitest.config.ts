import { defineConfig } from 'vitest/config'

/** Tests that start Java, child processes or a WhatsApp server: they share the machine's cores with what they start. */
const parts = [
  'tests/adapters/**/*.test.ts',
  'tests/client/package.test.ts',
  'tests/connector/fleet/threaded-renewal.test.ts',
  'tests/connector/media/**/*.test.ts',
  'tests/connector/session/wire.test.ts',
  'tests/connector/whatsapp/**/*.test.ts',
  'tests/connector/worker/process.test.ts',
  'tests/functions/**/*.test.ts',
  'tests/infra/**/*.test.ts',
  'tests/local/**/*.test.ts',
  'tests/whatsapp/**/*.test.ts',
]
/** Each runs the whole product. */
const wholes = ['tests/console/**/*.test.ts', 'tests/end-to-end/**/*.test.ts', 'tests/guarantees/waiting.test.ts']
/** Fleets under kills, deploys and outages, and what is published, packed: minutes each, so `npm run test:scenarios` runs them and `npm test` does not. */
const scenarios = [
  'tests/end-to-end/contract.test.ts',
  'tests/end-to-end/import.test.ts',
  'tests/end-to-end/live.test.ts',
  'tests/end-to-end/media-poison.test.ts',
  'tests/end-to-end/mutations-of-each-kind.test.ts',
  'tests/end-to-end/tenants.test.ts',
  'tests/end-to-end/restore.test.ts',
  'tests/end-to-end/side-by-side.test.ts',
  'tests/end-to-end/webhook-outage.test.ts',
  'tests/faults/lifecycle-rows.test.ts',
  'tests/faults/scenarios.test.ts',
  'tests/guarantees/messages.test.ts',
  'tests/guarantees/events.test.ts',
  'tests/infra/package.test.ts',
]

/**
 * The projects run one after the other, the whole product alone. No test passes by being quick: the timeouts are so long that
 * only a hang meets them, on a machine that does other work as well.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: [...parts, ...wholes, ...scenarios],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'parts',
          include: parts,
          exclude: scenarios,
          globalSetup: 'tests/adapters/shared-dynamo-setup.ts',
          // The examples import it as its users do; the packed one is tried by the scenarios.
          alias: { '@holdfast/construct': new URL('infra/holdfast.ts', import.meta.url).pathname },
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: wholes,
          exclude: scenarios,
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'scenarios',
          include: scenarios,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
    maxWorkers: 2,
  },
})
