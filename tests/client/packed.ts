import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * A clean folder with a packed package under node_modules, as a user has it.
 *
 * @param script below `local/`, which builds it
 * @param beside what a user's install brings with it
 */
export function folderWithPackage(name: string, script: string, beside: readonly string[]) {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-package-'))
  const built = join(folder, 'built')
  execFileSync(process.execPath, [join(root, 'local', script), built], { stdio: 'pipe' })
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json'], { cwd: built, encoding: 'utf8' })) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ]
  const installed = join(folder, 'node_modules', name)
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['xzf', join(built, packed.filename), '-C', installed, '--strip-components=1'])
  rmSync(built, { recursive: true })
  for (const other of beside) {
    const link = join(folder, 'node_modules', other)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(join(root, 'node_modules', other)), link)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return {
    folder,
    files: packed.files.map(({ path }) => path),
    write: (name: string, text: string) => writeFileSync(join(folder, name), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Its one dependency is zod, which only declarations name. */
export function folderWithClient() {
  return folderWithPackage('@holdfast/client', 'build-client.ts', ['zod'])
}
