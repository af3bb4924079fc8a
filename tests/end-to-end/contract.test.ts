import { afterAll, beforeAll, it } from 'vitest'
import { expectContractKept } from './contract/kept.ts'
import { type RunningPlace, startPlace } from './place.ts'
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
