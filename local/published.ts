/** What the packages that are published have in common. */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

interface Manifest {
  readonly version: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

export const ours = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** `types/` below `target`, by a tsconfig of the repository. */
export function writeDeclarations(project: string, target: string): void {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['-p', project, '--outDir', join(target, 'types')]
  execFileSync(process.execPath, [compiler, ...options], { cwd: root, stdio: 'inherit' })
  for (const file of globSync('types/**/*.d.ts', { cwd: target })) {
    const path = join(target, file)
    // Not every compiler takes the name of a source for that of its declaration.
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/(['"])(\.[^'"\n]+)\.ts\1/g, '$1$2.js$1'))
  }
}

/** package.json, with what is the same in all of them, and the licence. */
export function writeManifest(target: string, manifest: Readonly<Record<string, unknown>>): void {
  const { name, ...more } = manifest
  const whole = { name, version: ours.version, license: ours.license, type: 'module', ...more }
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(whole, null, 2)}\n`)
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'))
}
