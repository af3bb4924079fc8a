import { expect, test } from 'vitest'
import { preferredMediaType } from '../../functions/http/accept.ts'

const offered = ['application/json', 'image/png', 'image/svg+xml'] as const

test.each([
  [undefined, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['image/png', 'image/png'],
  ['IMAGE/PNG', 'image/png'],
  ['image/*', 'image/png'],
  ['image/svg+xml, image/png;q=0.5', 'image/svg+xml'],
  ['application/json;q=0.1, */*;q=0.5', 'image/png'],
  ['text/html, application/json;q=0.9', 'application/json'],
  ['text/html', undefined],
  ['application/json;q=0', undefined],
  ['application/json;q=nonsense', undefined],
])('Accept %j gives %s', (accept, expected) => {
  expect(preferredMediaType(accept, offered)).toBe(expected)
})
