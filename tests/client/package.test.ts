import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { folderWithClient, root } from './packed.ts'

let clean: ReturnType<typeof folderWithClient>
beforeAll(() => {
  clean = folderWithClient()
})
afterAll(() => clean?.remove())

it('is packed with its JavaScript, declarations and licence, and nothing else', () => {
  expect(clean.files).toEqual(
    expect.arrayContaining(['index.js', 'types/client/index.d.ts', 'LICENSE', 'package.json']),
  )
  expect(
    clean.files.filter((path) => !/^(index\.js(\.map)?|LICENSE|package\.json|types\/.*\.d\.ts)$/.test(path)),
  ).toEqual([])
})

it('is imported by plain JavaScript under Node', () => {
  clean.write(
    'plain.js',
    `import { HoldfastClient, ProblemError } from '@holdfast/client'
     const fetch = async () => new Response(JSON.stringify({ title: 'no', code: 'connection_not_found' }), { status: 404 })
     const client = new HoldfastClient({ baseUrl: 'https://api.test', apiKey: 'k', fetch })
     const error = await client.connections.get('con_1').catch((thrown) => thrown)
     console.log(error instanceof ProblemError, error.code)`,
  )
  const said = execFileSync(process.execPath, ['plain.js'], { cwd: clean.folder, encoding: 'utf8' })
  expect(said.trim()).toBe('true connection_not_found')
})

it.each([
  ['Node', { module: 'nodenext', lib: ['es2022'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }],
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom', 'dom.iterable'], types: [] }],
])('is typed for %s, and a wrong call does not compile', (_, options) => {
  clean.write(
    'typed.ts',
    `import { type Connection, HoldfastClient } from '@holdfast/client'
     const client = new HoldfastClient({ baseUrl: 'https://api.test', apiKey: 'k' })
     client.live.on('whatsapp-connected', (connection: Connection) => connection.label.trim())
     export const sent: Promise<{ messageId: string }> = client.messages.send('con_1', { to: '+1', type: 'text', text: { body: 'x' } })
     // @ts-expect-error there is no such event
     client.live.on('whatsapp-lost', () => undefined)
     // @ts-expect-error the label is missing
     client.connections.create({})`,
  )
  clean.write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: { ...options, target: 'es2022', strict: true, noEmit: true },
      files: ['typed.ts'],
    }),
  )
  const compile = () =>
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', clean.folder], {
      encoding: 'utf8',
    })
  expect(compile()).toBe('')
})

it('goes into a page without anything of Node, and is small', async () => {
  clean.write('page.js', `import { HoldfastClient } from '@holdfast/client'\nglobalThis.client = HoldfastClient`)
  const { outputFiles, metafile } = await build({
    absWorkingDir: clean.folder,
    entryPoints: ['page.js'],
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    metafile: true,
  })
  expect(Object.keys(metafile.inputs).sort()).toEqual(['node_modules/@holdfast/client/index.js', 'page.js'])
  expect(outputFiles[0]?.contents.length).toBeLessThan(30_000)
  const text = readFileSync(join(clean.folder, 'node_modules/@holdfast/client/index.js'), 'utf8')
  expect(text).not.toMatch(/^import |\brequire\(|\bprocess\.|\bBuffer\b|node:/m)
})
