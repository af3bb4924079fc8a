import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectContractKept } from './contract/kept.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Stored } from './stored.ts'
import { Story } from './story.ts'

let place: RunningPlace
let story: Story

beforeAll(async () => {
  place = await startPlace({ targets: 'any' })
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
})
afterAll(async () => {
  story?.close()
  await place?.stop()
})

// tests/end-to-end/bad-input.test.ts does the same in short.
it(
  'the contract is kept by every operation, for many requests each',
  () => expectContractKept(place, story, 40),
  1_200_000,
)

/** Erased while it has everything that the requests above have made, beside a device that is linked. */
it('an erased business profile is in no table and no bucket any more', async () => {
  const { admin, businessProfileId, connectionId } = story
  const stored = new Stored(place)
  const names = (value: unknown) => [businessProfileId, connectionId].some((id) => JSON.stringify(value).includes(id))
  const tables = async () => (await stored.items(names)).map(({ table, item }) => `${table} ${item.pk}`)
  expect(new Set((await tables()).map((each) => each.split(' ')[0])).size).toBeGreaterThan(5)
  expect((await stored.objects()).filter(names).length).toBeGreaterThan(1)

  const path = `/admin/business-profiles/${businessProfileId}`
  const { erasureId } = (await admin.delete(path)).body
  const state = async () => (await admin.get(`${path}/erasures/${erasureId}`)).body.state
  await expect.poll(state, { timeout: 900_000, interval: 2_000 }).toBe('done')
  expect((await stored.objects()).filter(names)).toEqual([])
  // The record of the erasure, who asked for it, and tickets that nobody used, which end by age.
  const expected = new Set([`Accounts erasure#${businessProfileId}`, 'Accounts audit#service'])
  const left = (await tables()).filter((each) => !expected.has(each) && !each.startsWith('Live ticket#'))
  expect(left).toEqual([])
  stored.close()
}, 1_200_000)

it('no call was made that the template does not allow', () => {
  const refused = place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)
  expect(refused).toEqual([])
})
