/**
 * The handlers' bundles: one esbuild run makes all of them, so that what they share is read and parsed once. (NodejsFunction
 * would start esbuild through npx for each function, which is most of a synthesis.)
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda'
import { buildSync } from 'esbuild'

/** Has the built console beside it. */
const CONSOLE_HANDLER = 'deployments/console'

/** Every bundle has its files under these names. */
const ENTRY = 'index'

interface BundleFile {
  readonly name: string
  readonly contents: Uint8Array
}

/** By root: an app is synthesized once or twice per process, its sources do not change meanwhile. */
const made = new Map<string, ReadonlyMap<string, readonly BundleFile[]>>()

/**
 * The code asset of one handler, hashed by its output: a change that does not reach the bundle deploys nothing.
 *
 * @param root the repository; its handlers are the files below `functions/` that export `handler`
 * @param handler path below `functions/` without `.ts`, e.g. `http/connections`
 * @param files absolute paths of what lies beside the bundle under its own name
 */
export function handlerCode(root: string, handler: string, files: readonly string[] = []): AssetCode {
  return Code.fromAsset(join(root, 'functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: what is bundled on this machine asks for no container.
      image: DockerImage.fromRegistry('esbuild'),
      // Says which bundle this is: assets whose options are equal are taken for the same one.
      command: ['esbuild', `functions/${handler}.ts`, ...files.map((file) => basename(file))],
      local: {
        tryBundle(folder) {
          for (const { name, contents } of filesOf(root, handler)) writeFileSync(join(folder, name), contents)
          if (handler === CONSOLE_HANDLER) buildConsole(root, join(folder, 'console'))
          for (const file of files) copyFileSync(file, join(folder, basename(file)))
          return true
        },
      },
    },
  })
}

function filesOf(root: string, handler: string): readonly BundleFile[] {
  const bundles = made.get(root) ?? bundleAll(root)
  made.set(root, bundles)
  const files = bundles.get(handler)
  if (files === undefined) throw new Error(`functions/${handler}.ts: expected it to export "handler"`)
  return files
}

function bundleAll(root: string): ReadonlyMap<string, readonly BundleFile[]> {
  const handlers = globSync('**/*.ts', { cwd: join(root, 'functions') })
    .filter((file) => /^export (const|async function|function) handler\b/m.test(text(join(root, 'functions', file))))
    .map((file) => file.replaceAll('\\', '/').replace(/\.ts$/, ''))
    .sort()
  // Only names the place that source maps are relative to; nothing is written there.
  const outdir = join(root, 'cdk.out', 'bundles')
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(
      handlers.map((handler) => [`${handler}/${ENTRY}`, join(root, 'functions', `${handler}.ts`)]),
    ),
    outdir,
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    // The SDK that was tested is the SDK that runs, so nothing is external.
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
    // CommonJS packages inside an ES module bundle still call `require` for Node's own modules.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  })
  return new Map(
    handlers.map((handler) => [
      handler,
      outputFiles
        .filter(({ path }) => path.startsWith(join(outdir, handler, `${ENTRY}.`)))
        .map(({ path, contents }) => ({ name: basename(path), contents })),
    ]),
  )
}

function text(file: string): string {
  return readFileSync(file, 'utf8')
}

/** The console's files, made by Vite. */
function buildConsole(root: string, folder: string): void {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  execFileSync(
    process.execPath,
    [vite, 'build', '--config', join(root, 'console', 'vite.config.ts'), '--outDir', folder, '--logLevel', 'warn'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
}
