/**
 * `npm run build:construct`: the published construct in `dist/construct`, a package of its own (`npm pack dist/construct`).
 * Node strips no types under node_modules, so the construct is one file of JavaScript with declarations beside it; and what it
 * deploys is made already: every function's bundle (the console's files in one of them), and the folder that the connector's
 * image is built from, whose TypeScript runs in the image as it is.
 */
import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { handlerNames, writeHandler } from '../infra/code.ts'
import { imageParts } from '../infra/image-parts.ts'
import { ours, root, writeDeclarations, writeManifest } from './published.ts'

const target = resolve(root, process.argv[2] ?? 'dist/construct')

/** What is deployed lies beside the package's one file, instead of being made from the repository. */
const packedCode: Plugin = {
  name: 'packed-code',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/code\.ts$/ }, () => ({ path: join(root, 'infra/packed-code.ts') }))
  },
}

rmSync(target, { recursive: true, force: true })
await build({
  entryPoints: [join(root, 'infra/holdfast.ts')],
  outfile: join(target, 'index.js'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // The caller's own, so that its constructs and ours are of one kind.
  external: ['aws-cdk-lib', 'constructs', 'zod'],
  mainFields: ['module', 'main'],
  plugins: [packedCode],
  sourcemap: true,
  absWorkingDir: root,
})
for (const handler of handlerNames()) {
  const folder = join(target, 'functions', handler)
  writeHandler(handler, folder)
  // Their maps are more than half of the package, and name sources that it does not have.
  for (const map of globSync('*.map', { cwd: folder })) rmSync(join(folder, map))
}
mkdirSync(join(target, 'image'))
for (const part of imageParts) {
  cpSync(join(root, part), join(target, 'image', part), {
    recursive: true,
    filter: (path) => basename(path) !== 'node_modules',
  })
}
writeDeclarations('tsconfig.construct.json', target)
writeManifest(target, {
  name: '@holdfast/construct',
  description: 'Holdfast, a WhatsApp gateway on AWS, as a CDK construct',
  exports: { '.': { types: './types/infra/holdfast.d.ts', default: './index.js' } },
  engines: { node: '>=20' },
  peerDependencies: {
    'aws-cdk-lib': `^${ours.devDependencies['aws-cdk-lib']}`,
    constructs: `^${ours.devDependencies['constructs']}`,
  },
  dependencies: { zod: ours.dependencies['zod'] },
})
