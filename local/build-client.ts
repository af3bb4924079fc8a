/**
 * `npm run build:client`: the published client in `dist/client`, a package of its own (`npm pack dist/client`). One file of
 * JavaScript for browsers and Node, since Node strips no types under node_modules, and the declarations beside it.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const target = resolve(root, process.argv[2] ?? 'dist/client')

interface Manifest {
  readonly version: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
}
const { version, license, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

rmSync(target, { recursive: true, force: true })
await build({
  entryPoints: [join(root, 'shared/client/index.ts')],
  outfile: join(target, 'index.js'),
  bundle: true,
  format: 'esm',
  // Nothing of Node, nothing of a page: an import of either fails the build.
  platform: 'neutral',
  target: 'es2022',
  sourcemap: true,
  // What the sources say of paths must not depend on the machine.
  absWorkingDir: root,
})
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const options = ['-p', 'tsconfig.client.json', '--outDir', join(target, 'types')]
execFileSync(process.execPath, [compiler, ...options], { cwd: root, stdio: 'inherit' })
for (const file of globSync('types/**/*.d.ts', { cwd: target })) {
  const path = join(target, file)
  // Not every compiler takes the name of a source for that of its declaration.
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/(['"])(\.[^'"\n]+)\.ts\1/g, '$1$2.js$1'))
}

const manifest = {
  name: '@holdfast/client',
  version,
  description: "Typed client of Holdfast's REST and live API, for browsers and Node",
  license,
  type: 'module',
  sideEffects: false,
  exports: { '.': { types: './types/client/index.d.ts', default: './index.js' } },
  engines: { node: '>=20' },
  // The declarations name its types; nothing of it is loaded.
  dependencies: { zod: dependencies.zod },
}
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'))
