/**
 * The Lambda runtime of one worker thread: loads the handler once, then answers one invocation at a time. It has the
 * template's environment and no other, and loads nothing from outside its bundle.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { refuseImportsFromOutside } from './bundle-only.ts'
import type { InvokeMessage, WorkerAnswer, WorkerSetup } from './worker-messages.ts'

type Handler = (event: unknown, context: object, callback: (error: unknown, result?: unknown) => void) => unknown

const port = parentPort
if (port === null) throw new Error('the function runtime runs in a worker thread')
const setup = workerData as WorkerSetup

const answer = (message: WorkerAnswer): void => port.postMessage(message)

try {
  const handler = await load(setup)
  port.on('message', (message: InvokeMessage) => {
    void invoke(handler, message)
  })
  answer({ kind: 'ready' })
} catch (error) {
  answer({ kind: 'broken', ...describe(error, 'Runtime.ImportModuleError') })
}

async function load({ directory, handler }: WorkerSetup): Promise<Handler> {
  const dot = handler.lastIndexOf('.')
  const [module, name] = [handler.slice(0, dot), handler.slice(dot + 1)]
  const file = ['.mjs', '.js', '.cjs']
    .map((ending) => join(directory, module + ending))
    .find((path) => existsSync(path))
  if (file === undefined) throw named('Runtime.ImportModuleError', `Error: Cannot find module '${module}'`)
  // A bundle in ESM under the name .js would be taken for what the repository's package.json says.
  if (file.endsWith('.js') && /^\s*(import|export)\s/m.test(readFileSync(file, 'utf8').slice(0, 2_000))) {
    throw named('Runtime.UserCodeSyntaxError', `SyntaxError: ${module}.js is an ES module: name it ${module}.mjs`)
  }
  refuseImportsFromOutside(directory)
  const exports = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  const commonJs = exports['default'] as Readonly<Record<string, unknown>> | undefined
  const found = exports[name] ?? commonJs?.[name]
  if (typeof found !== 'function') throw named('Runtime.HandlerNotFound', `${handler} is undefined or not exported`)
  return found as Handler
}

async function invoke(handler: Handler, { event, context }: InvokeMessage): Promise<void> {
  const { functionName, functionArn, memoryMb, requestId, deadlineMs } = context
  try {
    const result = await new Promise<unknown>((resolve, reject) => {
      const returned = handler(
        JSON.parse(event),
        {
          functionName,
          functionVersion: '$LATEST',
          invokedFunctionArn: functionArn,
          memoryLimitInMB: String(memoryMb),
          awsRequestId: requestId,
          logGroupName: `/aws/lambda/${functionName}`,
          logStreamName: 'local',
          callbackWaitsForEmptyEventLoop: true,
          getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
        },
        (error, value) => (error === null || error === undefined ? resolve(value) : reject(error)),
      )
      if (returned instanceof Promise) returned.then(resolve, reject)
      else if (handler.length < 3) resolve(returned)
    })
    answer({ kind: 'ok', payload: JSON.stringify(result ?? null) })
  } catch (error) {
    answer({ kind: 'error', ...describe(error, 'Error') })
  }
}

function describe(
  error: unknown,
  byDefault: string,
): { errorType: string; errorMessage: string; trace: readonly string[] } {
  if (!(error instanceof Error)) return { errorType: byDefault, errorMessage: String(error), trace: [] }
  const code = (error as { readonly code?: unknown }).code
  const errorType =
    code === 'ERR_MODULE_NOT_FOUND' ? 'Runtime.ImportModuleError' : error.name === 'Error' ? byDefault : error.name
  return { errorType, errorMessage: error.message, trace: (error.stack ?? '').split('\n') }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}
