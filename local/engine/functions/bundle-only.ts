/**
 * What a function may import: Node's own modules and files of its bundle. Under a repository, a bare specifier would else
 * resolve in the repository's node_modules, and hide that the bundle lacks it.
 */
import { realpathSync } from 'node:fs'
import { isBuiltin, registerHooks } from 'node:module'
import { sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** @param directory the asset's folder. @param entry the file that the host itself imports first */
export function refuseImportsFromOutside(directory: string): void {
  const root = realpathSync(directory) + sep
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (isBuiltin(specifier)) return nextResolve(specifier, context)
      const missing = (): Error =>
        Object.assign(
          new Error(`Cannot find package '${specifier}' imported from ${context.parentURL ?? 'the runtime'}`),
          {
            code: 'ERR_MODULE_NOT_FOUND',
          },
        )
      const found = nextResolve(specifier, context)
      if (!found.url.startsWith('file:')) throw missing()
      const path = fileURLToPath(found.url)
      if (!pathToFileURL(path).href.startsWith(pathToFileURL(root).href)) throw missing()
      return found
    },
  })
}
