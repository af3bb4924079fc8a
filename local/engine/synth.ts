/** Synthesizes the app, or takes the last assembly when nothing that it was made from has changed. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { keepNewest } from './cache.ts'
import type { EngineLog } from './contracts.ts'
import { hostEnvironment } from './host-environment.ts'
import { isObject, type JsonObject } from './template/json.ts'

/** Everything that the template and its assets are made from. */
const INPUTS = [
  'infra/**',
  'functions/**',
  'shared/**',
  'connector/**',
  'console/**',
  'package.json',
  'package-lock.json',
  'cdk.json',
  'cdk.context.json',
]

export interface Synthesized {
  readonly directory: string
  readonly cached: boolean
}

/** As a stage's block in cdk.json. */
export type StageSettings = Readonly<Record<string, unknown>>

/** Assemblies of earlier inputs that are kept, for going back and forth between branches and for runs beside each other. */
const ASSEMBLIES_KEPT = 5

/**
 * @param root the repository
 * @param cache folder that keeps assemblies, each under the hash of its inputs
 * @param settings of the stage, beside those of cdk.json
 * @param begins called when there is something to synthesize, which takes seconds
 */
export async function synthesize(
  root: string,
  cache: string,
  log: EngineLog,
  settings: StageSettings = {},
  begins: () => void = () => undefined,
): Promise<Synthesized> {
  const directory = join(cache, inputsHash(root, settings))
  if (existsSync(join(directory, 'manifest.json'))) {
    const now = new Date()
    utimesSync(directory, now, now)
    return { directory, cached: true }
  }
  begins()
  const building = `${directory}.${process.pid}`
  rmSync(building, { recursive: true, force: true })
  mkdirSync(building, { recursive: true })
  try {
    await runApp(root, building, settings, log)
    if (!existsSync(directory)) renameSync(building, directory)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
  keepNewest(cache, ASSEMBLIES_KEPT)
  return { directory, cached: false }
}

function inputsHash(root: string, settings: StageSettings): string {
  const hash = createHash('sha256').update(process.version).update(JSON.stringify(settings))
  const files = INPUTS.flatMap((pattern) =>
    globSync(pattern, { cwd: root, withFileTypes: true, exclude: (entry) => entry.name === 'node_modules' }),
  )
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files) hash.update(`\n${file.slice(root.length)}\n`).update(readFileSync(file))
  return hash.digest('hex').slice(0, 24)
}

/** As cdk.json would have them, in the stage that is synthesized. */
function withSettings(context: JsonObject, settings: StageSettings): JsonObject {
  const stage = typeof context['stage'] === 'string' ? context['stage'] : 'dev'
  const stages = isObject(context['holdfast']) ? context['holdfast'] : {}
  const own = isObject(stages[stage]) ? stages[stage] : {}
  return { holdfast: { ...stages, [stage]: { ...own, ...settings } } }
}

/** The app's own command (`"app"` in cdk.json), told what the CDK's CLI would tell it. */
async function runApp(root: string, outdir: string, settings: StageSettings, log: EngineLog): Promise<void> {
  const host = hostEnvironment()
  const config: unknown = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8'))
  if (!isObject(config) || typeof config['app'] !== 'string')
    throw new Error('cdk.json: expected "app" to be the command that synthesizes')
  const lookups = join(root, 'cdk.context.json')
  const looked: unknown = existsSync(lookups) ? JSON.parse(readFileSync(lookups, 'utf8')) : {}
  const own: JsonObject = isObject(config['context']) ? config['context'] : {}
  const context = { ...(isObject(looked) ? looked : {}), ...own, ...withSettings(own, settings) }
  const child = spawn('/bin/sh', ['-c', config['app']], {
    cwd: root,
    env: {
      ...host.all,
      PATH: `${dirname(process.execPath)}:${join(root, 'node_modules/.bin')}:${host.path}`,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify(context),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString('utf8')))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0 || !existsSync(join(outdir, 'manifest.json'))) {
    const told = output.join('').trim()
    log.error('synth', told)
    throw new Error(
      `The app could not be synthesized ("${config['app']}" ended with code ${code}): ${told.split('\n').slice(-12).join('\n')}`,
    )
  }
}
