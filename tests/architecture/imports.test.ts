import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

interface Rule {
  /** Files whose path starts with this; the longest matching rule counts. */
  readonly from: string
  /** What they may import of ours, by path prefix. */
  readonly may: readonly string[]
  /** Whether packages and Node's own modules may be imported. */
  readonly packages: 'any' | 'none' | readonly string[]
}

const rules: readonly Rule[] = [
  { from: 'shared/domain/', may: ['shared/domain/'], packages: 'none' },
  { from: 'shared/api/', may: ['shared/api/', 'shared/domain/'], packages: ['zod', 'libphonenumber-js'] },
  { from: 'shared/client/', may: ['shared/client/', 'shared/api/', 'shared/domain/'], packages: 'any' },
  { from: 'shared/aws/', may: ['shared/aws/', 'shared/domain/'], packages: 'any' },
  // Calls out of the system: knows nothing of it.
  { from: 'shared/net/', may: ['shared/net/'], packages: 'any' },
  { from: 'functions/', may: ['functions/', 'shared/'], packages: 'any' },
  { from: 'connector/', may: ['connector/', 'shared/'], packages: 'any' },
  // Handlers are named by path. Of the code only tables of facts are read: the routes, the scopes and the tables' keys.
  {
    from: 'infra/',
    may: ['infra/', 'shared/api/routes.ts', 'shared/api/scopes.ts', 'shared/aws/tables.ts', 'shared/domain/'],
    packages: 'any',
  },
  { from: 'local/whatsapp/', may: ['local/whatsapp/'], packages: 'any' },
  { from: 'local/', may: ['local/', 'infra/', 'shared/', 'functions/', 'connector/'], packages: 'any' },
  { from: 'console/', may: ['console/', 'shared/client/'], packages: 'any' },
]

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && entry.name !== 'dist') yield* sourceFiles(path)
    } else if (/\.(ts|tsx|mjs|js)$/.test(entry.name)) yield path
  }
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

function importsOf(text: string): string[] {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '')
}

function violations(path: string, text = readFileSync(join(root, path), 'utf8')): string[] {
  const rule = rules.filter((r) => path.startsWith(r.from)).sort((a, b) => b.from.length - a.from.length)[0]
  if (!rule) return [`${path}: no rule says what it may import`]
  return importsOf(text).flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = relative(root, join(root, dirname(path), specifier))
      return rule.may.some((prefix) => target.startsWith(prefix)) ? [] : [`${path} imports ${target}`]
    }
    if (rule.packages === 'any') return []
    const allowed =
      rule.packages !== 'none' && rule.packages.some((p) => specifier === p || specifier.startsWith(`${p}/`))
    return allowed ? [] : [`${path} imports the package ${specifier}`]
  })
}

const folders = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && rules.some((rule) => rule.from.startsWith(`${entry.name}/`)))
  .map((entry) => entry.name)

describe('imports point one way', () => {
  it.each(folders)('%s', (folder) => {
    const files = [...sourceFiles(folder)]
    expect(files.length).toBeGreaterThan(0)
    expect(files.flatMap((file) => violations(file))).toEqual([])
  })

  it.each([
    ['shared/domain/x.ts', "import { readFileSync } from 'node:fs'"],
    ['shared/domain/x.ts', "import { z } from 'zod'"],
    ['functions/http/x.ts', "import { worker } from '../../connector/worker/worker.ts'"],
    ['connector/x.ts', "export { handler } from '../functions/http/x.ts'"],
    ['local/whatsapp/x.ts', "const words = await import('../../shared/domain/words.ts')"],
    ['infra/x.ts', "import { handler } from '../functions/http/connections.ts'"],
    ['console/x.tsx', "import type { ConnectionRow } from '../shared/domain/stores/connections.ts'"],
  ])('%s may not: %s', (path, text) => {
    expect(violations(path, text)).toHaveLength(1)
  })
})
