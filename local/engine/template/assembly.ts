/**
 * Reads what `cdk synth` wrote: the manifest, every stack's template, and where the file and image assets lie.
 *
 * Source of the shape: the cloud assembly schema (`manifest.json`, `*.assets.json`) of aws-cdk.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TemplateError } from './errors.ts'
import { isObject, type JsonObject, objectAt, optional, stringAt } from './json.ts'

export interface StackTemplate {
  readonly stackName: string
  /** Of its construct: `Holdfast/Stateful`. Paths of its resources begin with it. */
  readonly path: string
  readonly template: JsonObject
}

export interface ImageAsset {
  readonly directory: string
  readonly dockerFile: string
  readonly buildArgs: Readonly<Record<string, string>>
}

export interface Assembly {
  readonly directory: string
  readonly stacks: readonly StackTemplate[]
  /** The region that the stacks are bound to; undefined for environment-agnostic stacks. */
  readonly region: string | undefined
  readonly account: string | undefined
  /** By object key, e.g. `b613….zip`: the absolute folder or file. */
  readonly files: ReadonlyMap<string, string>
  /** By image tag. */
  readonly images: ReadonlyMap<string, ImageAsset>
}

export function readAssembly(directory: string): Assembly {
  const manifestPath = join(directory, 'manifest.json')
  if (!existsSync(manifestPath))
    throw new TemplateError(manifestPath, 'is missing: synthesize the app first (npm run synth)')
  const artifacts = objectAt(objectAt(readJson(manifestPath), manifestPath)['artifacts'], `${manifestPath} artifacts`)
  const stacks: StackTemplate[] = []
  const files = new Map<string, string>()
  const images = new Map<string, ImageAsset>()
  let region: string | undefined
  let account: string | undefined
  for (const [id, value] of Object.entries(artifacts)) {
    const artifact = objectAt(value, id)
    const properties = isObject(artifact['properties']) ? artifact['properties'] : {}
    switch (artifact['type']) {
      case 'aws:cloudformation:stack': {
        const file = stringAt(properties['templateFile'], `${id} templateFile`)
        const environment = /^aws:\/\/([^/]+)\/(.+)$/.exec(stringAt(artifact['environment'] ?? '', id))
        account = known(environment?.[1]) ?? account
        region = known(environment?.[2]) ?? region
        const stackName = optional(properties['stackName'], (name) => stringAt(name, `${id} stackName`)) ?? id
        // `path (name)` where the two differ.
        const shown = optional(artifact['displayName'], (name) => stringAt(name, `${id} displayName`)) ?? stackName
        const path = shown.replace(/ \(.*\)$/, '')
        stacks.push({ stackName, path, template: objectAt(readJson(join(directory, file)), file) })
        break
      }
      case 'cdk:asset-manifest':
        readAssets(directory, stringAt(properties['file'], `${id} file`), files, images)
        break
      case 'cdk:cloud-assembly':
        throw new TemplateError(id, 'local mode runs one assembly; CDK stages (nested assemblies) are not supported')
    }
  }
  if (stacks.length === 0) throw new TemplateError(manifestPath, 'names no stack')
  return { directory, stacks, region, account, files, images }
}

function known(value: string | undefined): string | undefined {
  return value === undefined || value.startsWith('unknown-') ? undefined : value
}

function readAssets(
  directory: string,
  file: string,
  files: Map<string, string>,
  images: Map<string, ImageAsset>,
): void {
  const manifest = objectAt(readJson(join(directory, file)), file)
  for (const [hash, value] of Object.entries(isObject(manifest['files']) ? manifest['files'] : {})) {
    const asset = objectAt(value, `${file} ${hash}`)
    const source = objectAt(asset['source'], `${file} ${hash} source`)
    for (const destination of Object.values(objectAt(asset['destinations'], `${file} ${hash} destinations`))) {
      const key = stringAt(objectAt(destination, file)['objectKey'], `${file} ${hash} objectKey`)
      files.set(key, join(directory, stringAt(source['path'], `${file} ${hash} path`)))
    }
  }
  for (const [hash, value] of Object.entries(isObject(manifest['dockerImages']) ? manifest['dockerImages'] : {})) {
    const asset = objectAt(value, `${file} ${hash}`)
    const source = objectAt(asset['source'], `${file} ${hash} source`)
    const buildArgs = Object.entries(isObject(source['dockerBuildArgs']) ? source['dockerBuildArgs'] : {})
    const image: ImageAsset = {
      directory: join(directory, stringAt(source['directory'], `${file} ${hash} directory`)),
      dockerFile: stringAt(source['dockerFile'] ?? 'Dockerfile', `${file} ${hash} dockerFile`),
      buildArgs: Object.fromEntries(buildArgs.map(([name, arg]) => [name, stringAt(arg, `${file} ${name}`)])),
    }
    for (const destination of Object.values(objectAt(asset['destinations'], `${file} ${hash} destinations`))) {
      images.set(stringAt(objectAt(destination, file)['imageTag'], `${file} ${hash} imageTag`), image)
    }
  }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
