import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readDockerfile } from '../../local/engine/containers/dockerfile.ts'
import { type Assembly, readAssembly } from '../../local/engine/template/assembly.ts'
import { readModel } from '../../local/engine/template/model.ts'
import type { Model } from '../../local/engine/template/specs.ts'
import { folderWithPackage, root } from '../client/packed.ts'

let clean: ReturnType<typeof folderWithPackage>
let assembly: Assembly
let model: Model

beforeAll(() => {
  clean = folderWithPackage('@holdfast/construct', 'build-construct.ts', ['aws-cdk-lib', 'constructs', 'zod'])
  cpSync(join(root, 'docs/examples/construct'), clean.folder, { recursive: true })
  const outdir = join(clean.folder, 'cdk.out')
  // What `cdk init` writes into a new app: others have the CDK's recommendations, we only a few of them.
  const context = { '@aws-cdk/aws-iam:minimizePolicies': true, '@aws-cdk/core:checkSecretUsage': true }
  execFileSync(process.execPath, ['app.ts'], {
    cwd: clean.folder,
    env: { ...process.env, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) },
    stdio: 'pipe',
  })
  assembly = readAssembly(outdir)
  // Every reference, import and export of all stacks resolves, or this throws.
  model = readModel(assembly, { endpoint: 'http://127.0.0.1:1', secretString: () => 'secret' })
})
afterAll(() => clean?.remove())

const statementsOf = (stackName: string, type: string) => {
  const template = assembly.stacks.find((stack) => stack.stackName === stackName)?.template
  const resources = Object.values(
    (template?.['Resources'] ?? {}) as Record<string, { Type: string; Properties: never }>,
  )
  return resources
    .filter(({ Type }) => Type === type)
    .flatMap(({ Properties }) => Properties['PolicyDocument']['Statement'] as Record<string, unknown>[])
}

it('is packed with what it deploys, and nothing of a machine', () => {
  const kinds = /^(index\.js(\.map)?|LICENSE|package\.json|types\/.*\.d\.ts|functions\/.*|image\/.*)$/
  expect(clean.files.filter((path) => !kinds.test(path))).toEqual([])
  expect(clean.files).toEqual(
    expect.arrayContaining([
      'types/infra/holdfast.d.ts',
      'functions/http/connections/index.mjs',
      'functions/http/public/swagger-ui.css',
      'functions/deployments/console/console/index.html',
      'image/package-lock.json',
      'image/connector/Dockerfile',
      'image/connector/Dockerfile.dockerignore',
    ]),
  )
  const code = readFileSync(join(clean.folder, 'node_modules/@holdfast/construct/index.js'), 'utf8')
  expect(code).not.toContain(root)
  const imported = [...code.matchAll(/^import .* from "([^"]+)"/gm)].map(([, name = '']) => name)
  expect(imported.filter((name) => !/^(node:|aws-cdk-lib($|\/)|constructs$|zod$)/.test(name))).toEqual([])
})

it('makes its three stacks beside the stack of somebody else, from files that are there', () => {
  expect(assembly.stacks.map(({ stackName }) => stackName).sort()).toEqual([
    'Holdfast-shop-Connector',
    'Holdfast-shop-ControlPlane',
    'Holdfast-shop-Stateful',
    'Shop',
  ])
  const ours = model.functions.filter(({ arn }) => !arn.includes(':Shop-'))
  expect(ours.length).toBeGreaterThan(25)
  for (const asset of assembly.files.values()) expect(existsSync(asset), asset).toBe(true)
})

it('builds the connector from what the package brings', () => {
  const [image, ...more] = new Set(assembly.images.values())
  expect(more).toEqual([])
  const context = String(image?.directory)
  const dockerfile = readDockerfile(readFileSync(join(context, String(image?.dockerFile)), 'utf8'), {})
  const copied = dockerfile.flatMap((step) => (step.kind === 'copy' ? step.sources : []))
  expect(copied.length).toBeGreaterThan(3)
  for (const source of copied) expect(existsSync(join(context, source)), source).toBe(true)
  const [task] = model.services.map(({ taskDefinition }) => taskDefinition)
  for (const file of [task?.containers[0]?.command?.[1], task?.containers[0]?.healthCheck?.command[2]])
    expect(existsSync(join(context, String(file))), file).toBe(true)
  expect(globSync('**/node_modules', { cwd: context })).toEqual([])
})

it('lets whoever was granted it post sends and nothing else, and services only for this account', () => {
  const posting = statementsOf('Shop', 'AWS::IAM::Policy').filter(({ Action }) =>
    [Action].flat().includes('sqs:SendMessage'),
  )
  expect(posting).toHaveLength(1)
  expect(posting[0]).toMatchObject({ Effect: 'Allow', Action: 'sqs:SendMessage' })
  expect(posting[0]?.['Resource']).toHaveLength(2)
  const services = statementsOf('Holdfast-shop-Stateful', 'AWS::SQS::QueuePolicy').filter(
    ({ Effect }) => Effect === 'Allow',
  )
  expect(services).toHaveLength(2)
  for (const statement of services) {
    expect(statement).toMatchObject({
      Action: 'sqs:SendMessage',
      Principal: { Service: 'events.amazonaws.com' },
      Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
    })
  }
})

it('refuses wrong props by name', () => {
  clean.write(
    'wrong.ts',
    `import { Holdfast } from '@holdfast/construct'
     import { App } from 'aws-cdk-lib'
     try { new Holdfast(new App(), 'WhatsApp', { workers: 9, partitions: 4 }) } catch (error) { console.log(error.message) }`,
  )
  const said = execFileSync(process.execPath, ['wrong.ts'], { cwd: clean.folder, encoding: 'utf8' })
  expect(said).toContain('workers: a worker without a partition')
})

it('is typed, and a wrong prop does not compile', () => {
  clean.write(
    'typed.ts',
    `import { Holdfast, type HoldfastProps } from '@holdfast/construct'
     import { App, Stack } from 'aws-cdk-lib'
     import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
     const stack = new Stack(new App(), 'Mine')
     const props: HoldfastProps = { stage: 'mine', network: 'private', dataRemoval: 'retain' }
     const whatsapp = new Holdfast(stack, 'WhatsApp', props)
     whatsapp.grantSend(new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }))
     export const url: string = whatsapp.httpApiUrl
     // @ts-expect-error there is no such setting
     new Holdfast(stack, 'Other', { workerz: 1 })`,
  )
  const types = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }
  const compilerOptions = {
    ...types,
    module: 'nodenext',
    target: 'es2022',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  }
  clean.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.ts', 'app.ts'] }))
  const compile = () =>
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', clean.folder], {
      encoding: 'utf8',
    })
  expect(compile()).toBe('')
})
