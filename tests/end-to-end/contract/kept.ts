import { expect } from 'vitest'
import { rest } from '../callers.ts'
import { Endpoint } from '../endpoint.ts'
import type { RunningPlace } from '../place.ts'
import type { Story } from '../story.ts'
import { Described } from './described.ts'
import { testContract } from './run.ts'
import { seed } from './seeds.ts'

/** CONTRACT_SEED, CONTRACT_SAMPLES and CONTRACT_ONLY replay a finding, or look for longer. */
const { CONTRACT_SEED, CONTRACT_SAMPLES, CONTRACT_ONLY } = process.env
const number = Number(CONTRACT_SEED ?? 1 + Math.floor(Math.random() * 1_000_000))

/** Needs a folder of another gateway; tests/end-to-end/import.test.ts has one. */
const withoutSuccess = new Set(['importConnection'])

/**
 * Holds the served document against the running product, which must reach this machine with webhooks. The story's phone is
 * linked; its connection's groups and messages are not what they were afterwards.
 *
 * @param often requests of each operation, beside the one that is to succeed
 */
export async function expectContractKept(place: RunningPlace, story: Story, often: number): Promise<void> {
  const endpoint = await Endpoint.open()
  try {
    const startedAt = performance.now()
    const described = new Described((await rest(place.httpUrl).get('/openapi.json')).body)
    const seeds = await seed(place, story, story.simulatedPhones, endpoint)
    // What is looked at is what calls are answered with, not how many there may be.
    const limits = { limits: { requestsPerSecond: 10_000, sendsPerSecond: 10_000 } }
    const profile = `/admin/business-profiles/${story.businessProfileId}`
    await story.admin.raw('PATCH', profile, JSON.stringify(limits), { 'content-type': 'application/json' })
    const seededAt = performance.now()
    const samples = Number(CONTRACT_SAMPLES ?? often)
    const { httpUrl: baseUrl, adminApiKey } = place
    const run = { baseUrl, apiKey: story.apiKey, adminApiKey, seeds, seed: number, samples }
    const report = await testContract(described, CONTRACT_ONLY === undefined ? run : { ...run, only: CONTRACT_ONLY })
    const seconds = (from: number, to: number) => `${((to - from) / 1_000).toFixed(1)} s`
    const took = `${seconds(startedAt, seededAt)}, then ${report.calls} calls in ${seconds(seededAt, performance.now())}`
    console.info(`the contract, seed ${number}: seeded in ${took}, by status ${JSON.stringify(report.statuses)}`)
    expect(report.findings.join('\n')).toBe('')
    if (CONTRACT_ONLY !== undefined) return
    // A run that meets nothing but refusals shows little.
    const refused = described.operations.map(({ id }) => id).filter((id) => !report.succeeded.has(id))
    expect(refused.filter((id) => !withoutSuccess.has(id))).toEqual([])
    expect(described.operations.length).toBeGreaterThan(80)
    expect(report.calls).toBe(described.operations.length * (1 + samples) - withoutSuccess.size)
  } finally {
    await endpoint.close()
  }
}
