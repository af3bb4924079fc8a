/**
 * What is deployed, made from this repository. (`packed-code.ts` stands in its place in the published construct.)
 *
 * The handlers' bundles: one esbuild run makes all of them, so that what they share is read and parsed once. (NodejsFunction
 * would start esbuild through npx for each function, which is most of a synthesis.)
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda'
import { buildSync } from 'esbuild'

/** The repository; its handlers are the files below `functions/` that export `handler`. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Has the built console beside it. */
const CONSOLE_HANDLER = 'deployments/console'

/** What lies beside a bundle under its own name: the API page's library comes from our own origin. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  'http/public': ['swagger-ui-bundle.js', 'swagger-ui.css'].map((file) =>
    join(root, 'node_modules/swagger-ui-dist', file),
  ),
}

/** Every bundle has its files under these names. */
const ENTRY = 'index'

interface BundleFile {
  readonly name: string
  readonly contents: Uint8Array
}

/** An app is synthesized once or twice per process, its sources do not change meanwhile. */
let made: ReadonlyMap<string, readonly BundleFile[]> | undefined

/**
 * The code asset of one handler, hashed by its output: a change that does not reach the bundle deploys nothing.
 *
 * @param handler path below `functions/` without `.ts`, e.g. `http/connections`
 */
export function handlerCode(handler: string): AssetCode {
  if (!existsSync(join(root, 'functions', `${handler}.ts`))) throw new Error(`no such handler: functions/${handler}.ts`)
  return Code.fromAsset(join(root, 'functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: what is bundled on this machine asks for no container.
      image: DockerImage.fromRegistry('esbuild'),
      // Says which bundle this is: assets whose options are equal are taken for the same one.
      command: ['esbuild', `functions/${handler}.ts`],
      local: {
        tryBundle(folder) {
          writeHandler(handler, folder)
          return true
        },
      },
    },
  })
}

/** Of every handler, by the name that `handlerCode` takes. */
export function handlerNames(): readonly string[] {
  return [...bundles().keys()]
}

/** What a handler's function holds, in a folder of its own. */
export function writeHandler(handler: string, folder: string): void {
  const files = bundles().get(handler)
  if (files === undefined) throw new Error(`functions/${handler}.ts: expected it to export "handler"`)
  mkdirSync(folder, { recursive: true })
  for (const { name, contents } of files) writeFileSync(join(folder, name), contents)
  if (handler === CONSOLE_HANDLER) buildConsole(join(folder, 'console'))
  for (const file of FILES[handler] ?? []) copyFileSync(file, join(folder, basename(file)))
}

/** The folder that the connector's image is built from. */
export function imageContext(): string {
  return root
}

function bundles(): ReadonlyMap<string, readonly BundleFile[]> {
  made ??= bundleAll()
  return made
}

function bundleAll(): ReadonlyMap<string, readonly BundleFile[]> {
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
function buildConsole(folder: string): void {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  execFileSync(
    process.execPath,
    [vite, 'build', '--config', join(root, 'console', 'vite.config.ts'), '--outDir', folder, '--logLevel', 'warn'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
}
