import { defineConfig } from 'vitest/config'

/** Tests that share the machine's two cores with Java and child processes run in a project of their own, one at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: [
            'tests/end-to-end/**',
            'tests/faults/**',
            'tests/infra/**',
            'tests/local/**',
            'tests/adapters/**',
            'tests/whatsapp/**',
          ],
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'parts',
          include: [
            'tests/infra/**/*.test.ts',
            'tests/local/**/*.test.ts',
            'tests/adapters/**/*.test.ts',
            'tests/whatsapp/**/*.test.ts',
          ],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: ['tests/end-to-end/**/*.test.ts', 'tests/faults/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
    maxWorkers: 2,
  },
})
