import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** A clean folder with the packed client under node_modules, as a user has it. */
export function folderWithClient() {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-client-'))
  const built = join(folder, 'built')
  execFileSync(process.execPath, [join(root, 'local/build-client.ts'), built], { stdio: 'pipe' })
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json'], { cwd: built, encoding: 'utf8' })) as [
    { readonly filename: string; readonly files: readonly { readonly path: string }[] },
  ]
  const installed = join(folder, 'node_modules/@holdfast/client')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['xzf', join(built, packed.filename), '-C', installed, '--strip-components=1'])
  // The one dependency, which only declarations name.
  symlinkSync(realpathSync(join(root, 'node_modules/zod')), join(folder, 'node_modules/zod'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return {
    folder,
    files: packed.files.map(({ path }) => path),
    write: (name: string, text: string) => writeFileSync(join(folder, name), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
