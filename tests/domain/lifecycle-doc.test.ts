import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { renderLifecycle } from '../../shared/domain/lifecycle-doc.ts'

test('docs/lifecycle.md is what the table renders to', () => {
  const page = readFileSync(new URL('../../docs/lifecycle.md', import.meta.url), 'utf8')
  // To write it anew: node --eval "…renderLifecycle()" into docs/lifecycle.md.
  expect(page).toBe(renderLifecycle())
})
