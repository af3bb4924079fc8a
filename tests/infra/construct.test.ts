import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { settingNames } from '../../infra/settings.ts'

it('every setting is documented', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/construct.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const told = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(settingNames.length).toBeGreaterThan(15)
  expect(settingNames.filter((name) => !told.includes(name))).toEqual([])
})
