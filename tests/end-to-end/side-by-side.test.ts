import { describe, it } from 'vitest'
import { startPlace } from './place.ts'
import { Story } from './story.ts'

describe('two places side by side', () => {
  it('do not disturb each other', async () => {
    const places = await Promise.all([startPlace(), startPlace()])
    const stories = places.map((place) => new Story(place, { stepMs: 90_000 }))
    try {
      await Promise.all(stories.map((story) => story.all()))
    } finally {
      for (const story of stories) story.close()
      await Promise.all(places.map((place) => place.stop()))
    }
  })
})
