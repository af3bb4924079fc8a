/**
 * Builds the folder that an image would contain, without Docker: a clean root per image, filled by the Dockerfile's own
 * instructions, with a production install made by `npm ci`. What the image lacks, the process that runs from it lacks too.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, posix, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import type { EngineLog } from '../contracts.ts'
import type { ImageAsset } from '../template/assembly.ts'
import { type Instruction, readDockerfile } from './dockerfile.ts'

export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly entryPoint: readonly string[]
  readonly command: readonly string[]
}

/** Part of every cache key: what an older version of this file built is not what this one would. */
const BUILDER = '1'

const run = promisify(execFile)

/** @param cache folder for built images and installs, kept between runs. @param tag the asset's content hash. @param begins called when there is something to build */
export async function buildImage(
  asset: ImageAsset,
  tag: string,
  cache: string,
  log: EngineLog,
  begins: () => void = () => undefined,
): Promise<Image> {
  const dockerfile = readFileSync(join(asset.directory, asset.dockerFile), 'utf8')
  const instructions = readDockerfile(dockerfile, asset.buildArgs)
  const key = digest(
    BUILDER,
    process.version,
    process.platform,
    process.arch,
    tag,
    dockerfile,
    JSON.stringify(asset.buildArgs),
  )
  const directory = join(cache, 'images', key)
  const record = join(directory, 'image.json')
  if (existsSync(record)) {
    const now = new Date()
    utimesSync(directory, now, now)
    return { ...(JSON.parse(readFileSync(record, 'utf8')) as Omit<Image, 'root'>), root: join(directory, 'root') }
  }

  begins()
  const building = `${directory}.${process.pid}`
  rmSync(building, { recursive: true, force: true })
  const built = await carryOut(instructions, asset.directory, building, cache, log)
  renameSync(built.root, join(building, 'root'))
  const { root: _, ...image } = built
  writeFileSync(join(building, 'image.json'), JSON.stringify(image))
  if (existsSync(directory)) rmSync(building, { recursive: true, force: true })
  else renameSync(building, directory)
  return { ...image, root: join(directory, 'root') }
}

interface Stage {
  readonly root: string
  workingDirectory: string
  environment: Readonly<Record<string, string>>
  entryPoint: readonly string[]
  command: readonly string[]
}

async function carryOut(
  instructions: readonly Instruction[],
  context: string,
  directory: string,
  cache: string,
  log: EngineLog,
): Promise<Image> {
  const stages: { readonly name: string | undefined; readonly stage: Stage }[] = []
  const find = (name: string): Stage | undefined =>
    stages.find((each, index) => each.name === name || String(index) === name)?.stage
  let stage: Stage = { root: '', workingDirectory: '/', environment: {}, entryPoint: [], command: [] }
  for (const instruction of instructions) {
    switch (instruction.kind) {
      case 'from': {
        const base = find(instruction.image)
        const root = join(directory, `stage-${stages.length}`)
        mkdirSync(root, { recursive: true })
        if (base !== undefined) cpSync(base.root, root, { recursive: true, verbatimSymlinks: true })
        stage =
          base === undefined
            ? { root, workingDirectory: '/', environment: {}, entryPoint: [], command: [] }
            : { ...base, root }
        stages.push({ name: instruction.stage, stage })
        break
      }
      case 'workdir':
        stage.workingDirectory = posix.resolve(stage.workingDirectory, instruction.path)
        mkdirSync(inside(stage.root, stage.workingDirectory), { recursive: true })
        break
      case 'copy': {
        const from = instruction.from === undefined ? undefined : find(instruction.from)
        if (instruction.from !== undefined && from === undefined)
          throw new Error(`COPY --from=${instruction.from}: there is no such stage`)
        copy(from?.root ?? context, instruction.sources, stage, instruction.target)
        break
      }
      case 'npm ci':
        await install(stage, instruction.flags, cache, log)
        break
      case 'mkdir':
        for (const path of instruction.paths)
          mkdirSync(inside(stage.root, posix.resolve(stage.workingDirectory, path)), { recursive: true })
        break
      case 'env':
        stage.environment = { ...stage.environment, ...instruction.variables }
        break
      case 'entrypoint':
        stage.entryPoint = instruction.command
        break
      case 'cmd':
        stage.command = instruction.command
        break
    }
  }
  return stage
}

/** A folder's contents are copied, not the folder, as COPY does. */
function copy(from: string, sources: readonly string[], stage: Stage, target: string): void {
  const destination = inside(stage.root, posix.resolve(stage.workingDirectory, target))
  const found = sources.flatMap((source) => {
    const pattern = source.replace(/^\/+/, '') || '.'
    const matches = /[*?[]/.test(pattern) ? globSync(pattern, { cwd: from }) : [pattern]
    const existing = matches.map((match) => join(from, match)).filter((path) => existsSync(path))
    if (existing.length === 0) throw new Error(`COPY ${source}: the image's folder has no such file`)
    return existing
  })
  const intoFolder = target.endsWith('/') || target === '.' || target.endsWith('/.') || found.length > 1
  for (const path of found) {
    if (!inFolder(path, from)) throw new Error(`COPY ${relative(from, path)}: lies outside of the image's folder`)
    const folder = statSync(path).isDirectory()
    const to = folder || !intoFolder ? destination : join(destination, basename(path))
    mkdirSync(folder ? to : dirname(to), { recursive: true })
    cpSync(path, to, { recursive: true, verbatimSymlinks: true })
  }
}

/** Installs are kept by what they depend on, so that a change of the code alone asks for none. */
async function install(stage: Stage, flags: readonly string[], cache: string, log: EngineLog): Promise<void> {
  const directory = inside(stage.root, stage.workingDirectory)
  const key = digest(BUILDER, process.version, ...flags, ...installInputs(directory))
  const kept = join(cache, 'installs', key)
  if (!existsSync(kept)) {
    log.info('image', `npm ci ${flags.join(' ')} (once for this package-lock.json)`)
    try {
      await run('npm', ['ci', ...flags, '--no-audit', '--no-fund', '--prefer-offline'], {
        cwd: directory,
        maxBuffer: 16 * 1024 * 1024,
      })
    } catch (error) {
      const { stderr = '' } = error as { readonly stderr?: string }
      throw new Error(`npm ci ${flags.join(' ')} failed in the image: ${stderr.trim().slice(-1_500) || String(error)}`)
    }
    const modules = join(directory, 'node_modules')
    mkdirSync(modules, { recursive: true })
    mkdirSync(dirname(kept), { recursive: true })
    cpSync(modules, `${kept}.${process.pid}`, { recursive: true, verbatimSymlinks: true })
    if (!existsSync(kept)) renameSync(`${kept}.${process.pid}`, kept)
    return
  }
  cpSync(kept, join(directory, 'node_modules'), { recursive: true, verbatimSymlinks: true })
}

/** All package.json and lock files that are there when the install runs, local packages' too. */
function installInputs(directory: string): readonly string[] {
  return globSync('**/{package.json,package-lock.json,.npmrc}', {
    cwd: directory,
    exclude: (name) => name === 'node_modules',
  })
    .sort()
    .map((file) => `${file}\n${readFileSync(join(directory, file), 'utf8')}`)
}

/** Containers' absolute paths, below the image's root. */
export function inside(root: string, path: string): string {
  return join(root, ...path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..'))
}

function inFolder(path: string, folder: string): boolean {
  return path === folder || path === `${folder}${sep}` || path.startsWith(folder + sep)
}

function digest(...parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length} ${part}`)
  return hash.digest('hex').slice(0, 24)
}
