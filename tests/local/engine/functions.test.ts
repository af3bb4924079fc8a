import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mayInvoke } from '../../../local/engine/functions/invoker.ts'
import { createFunctionPool, type FunctionPool } from '../../../local/engine/functions/pool.ts'
import type { FunctionSpec } from '../../../local/engine/template/specs.ts'
import { recordingLog } from './recording-log.ts'

/** Below the repository, where a bare specifier would resolve in its node_modules. */
const below = join(import.meta.dirname, '../../../.holdfast')

let directory = ''
const pools: FunctionPool[] = []
const log = recordingLog()

beforeEach(() => {
  mkdirSync(below, { recursive: true })
  directory = mkdtempSync(join(below, 'function-'))
})
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()))
  rmSync(directory, { recursive: true, force: true })
})

function pool(
  code: string,
  spec: Partial<FunctionSpec> = {},
  environment: Readonly<Record<string, string>> = {},
): FunctionPool {
  writeFileSync(join(directory, 'index.mjs'), code)
  const full: FunctionSpec = {
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
    name: 'f',
    title: 'F',
    directory,
    handler: 'index.handler',
    environment: {},
    timeoutMs: 5_000,
    memoryMb: 128,
    roleArn: 'role',
    ...spec,
  }
  const made = createFunctionPool(full, environment, log)
  pools.push(made)
  return made
}

describe('a function', () => {
  it('answers with what its handler returns, as JSON would carry it', async () => {
    const f = pool('export const handler = async (event) => ({ event, gone: undefined, at: new Date(0) })')
    const result = await f.invoke({ a: 1, b: undefined })
    expect(result).toEqual({ kind: 'ok', payload: { event: { a: 1 }, at: '1970-01-01T00:00:00.000Z' } })
  })

  it('sees the environment that it was given and nothing of this process', async () => {
    const f = pool('export const handler = async () => process.env', {}, { TABLE: 't' })
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: { TABLE: 't' } })
  })

  it('that throws is an error with its type and message, and answers the next invocation', async () => {
    const f = pool('export const handler = async (e) => { if (e.bad) throw new RangeError("too far"); return 1 }')
    expect(await f.invoke({ bad: true })).toMatchObject({
      kind: 'error',
      errorType: 'RangeError',
      errorMessage: 'too far',
      timedOut: false,
    })
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: 1 })
  })

  it('that does not end in time is ended, and the next invocation gets a fresh one', async () => {
    const f = pool('let n = 0; export const handler = (e) => e.hang ? new Promise(() => {}) : ++n', { timeoutMs: 300 })
    await f.invoke({})
    expect(await f.invoke({ hang: true })).toMatchObject({
      kind: 'error',
      errorType: 'Sandbox.Timedout',
      timedOut: true,
    })
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: 1 })
  })

  it('that blocks its thread is ended, too', async () => {
    const f = pool('export const handler = () => { for (;;); }', { timeoutMs: 300 })
    expect(await f.invoke({})).toMatchObject({ kind: 'error', timedOut: true })
  })

  it('that exits is an error, not the end of local mode', async () => {
    const f = pool('export const handler = async (e) => { if (e.bad) process.exit(3); return 1 }')
    expect(await f.invoke({ bad: true })).toMatchObject({ kind: 'error', errorType: 'Runtime.ExitError' })
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: 1 })
  })

  it('that imports what its bundle lacks fails, though the repository has it', async () => {
    const f = pool("import { z } from 'zod'; export const handler = async () => typeof z")
    expect(await f.invoke({})).toMatchObject({
      kind: 'error',
      errorType: 'Runtime.ImportModuleError',
      errorMessage: expect.stringContaining("'zod'"),
    })
  })

  it('that requires what its bundle lacks, when it is called, fails as well', async () => {
    const f = pool(
      "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export const handler = async () => typeof require('@aws-sdk/client-s3')",
    )
    expect(await f.invoke({})).toMatchObject({
      kind: 'error',
      errorMessage: expect.stringContaining('@aws-sdk/client-s3'),
    })
  })

  it('may import its own files and the built-in modules of Node', async () => {
    writeFileSync(join(directory, 'other.mjs'), "import { sep } from 'path'; export const x = sep")
    const f = pool("import { x } from './other.mjs'; export const handler = async () => x")
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: '/' })
  })

  it('whose handler does not exist is an error that names it', async () => {
    const f = pool('export const other = 1')
    expect(await f.invoke({})).toMatchObject({
      kind: 'error',
      errorType: 'Runtime.HandlerNotFound',
      errorMessage: expect.stringContaining('index.handler'),
    })
  })

  it('runs on one thread for each concurrent invocation, and on no more than it has reserved', async () => {
    const code =
      'let n = 0; export const handler = async (e) => { n += 1; await new Promise((r) => setTimeout(r, e.ms)); return n }'
    const wide = pool(code)
    const results = await Promise.all([1, 2, 3].map(() => wide.invoke({ ms: 150 })))
    expect(results.map((result) => result.kind === 'ok' && result.payload)).toEqual([1, 1, 1])
    const narrow = pool(code, { concurrency: 1 })
    const queued = await Promise.all([1, 2, 3].map(() => narrow.invoke({ ms: 10 })))
    expect(queued.map((result) => result.kind === 'ok' && result.payload)).toEqual([1, 2, 3])
  })

  it("prints under the function's name", async () => {
    const f = pool('export const handler = async () => { console.log("hello from inside"); return 1 }')
    await f.invoke({})
    expect(await log.seen(/hello from inside/)).toMatchObject({ part: 'function F' })
  })

  it('has the Lambda context', async () => {
    const f = pool(
      'export const handler = async (_, c) => [c.functionName, c.getRemainingTimeInMillis() > 4000, c.awsRequestId.length]',
    )
    expect(await f.invoke({})).toEqual({ kind: 'ok', payload: ['f', true, 36] })
  })
})

describe('an AWS::Lambda::Permission', () => {
  const permissions = [
    { functionArn: 'f', service: 'apigateway.amazonaws.com', sourceArn: 'arn:aws:execute-api:r:a:api/*/*/items/{id}' },
  ]
  const from = (sourceArn: string) => mayInvoke(permissions, 'f', { service: 'apigateway.amazonaws.com', sourceArn })

  it('lets in what matches its source, and nothing else', () => {
    expect(from('arn:aws:execute-api:r:a:api/$default/GET/items/{id}')).toBe(true)
    expect(from('arn:aws:execute-api:r:a:api/$default/GET/other')).toBe(false)
    expect(mayInvoke(permissions, 'g', { service: 'apigateway.amazonaws.com', sourceArn: 'x' })).toBe(false)
    expect(mayInvoke(permissions, 'f', { service: 'events.amazonaws.com', sourceArn: 'x' })).toBe(false)
  })

  it('is not asked of event source mappings', () => {
    expect(mayInvoke([], 'f', { service: 'mapping', sourceArn: 'x' })).toBe(true)
  })
})
