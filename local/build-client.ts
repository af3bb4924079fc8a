/**
 * `npm run build:client`: the published client in `dist/client`, a package of its own (`npm pack dist/client`). One file of
 * JavaScript for browsers and Node, since Node strips no types under node_modules, and the declarations beside it.
 */
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { ours, root, writeDeclarations, writeManifest } from './published.ts'

const target = resolve(root, process.argv[2] ?? 'dist/client')

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
writeDeclarations('tsconfig.client.json', target)
writeManifest(target, {
  name: '@holdfast/client',
  description: "Typed client of Holdfast's REST and live API, for browsers and Node",
  sideEffects: false,
  exports: { '.': { types: './types/client/index.d.ts', default: './index.js' } },
  engines: { node: '>=20' },
  // The declarations name its types; nothing of it is loaded.
  dependencies: { zod: ours.dependencies['zod'] },
})
