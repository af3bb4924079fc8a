import { Worker } from 'node:worker_threads'
import { readConfig } from '../../connector/config.ts'
import { sdkEnvironment } from '../../local/engine/functions/invoker.ts'
import type { WorkerAnswer, WorkerSetup } from '../../local/engine/functions/worker-messages.ts'
import type { FunctionSpec, ServiceSpec } from '../../local/engine/template/specs.ts'

const nowhere = { accessKeyId: 'nobody', secretAccessKey: 'nothing' }

/** Loads the function's bundle with its environment, as a cold start does. Why it does not start, or undefined where it does. */
export async function whyFunctionDoesNotStart({
  directory,
  handler,
  environment,
}: FunctionSpec): Promise<string | undefined> {
  const setup: WorkerSetup = { directory, handler }
  const worker = new Worker(new URL('../../local/engine/functions/worker.ts', import.meta.url), {
    workerData: setup,
    env: { ...sdkEnvironment('us-east-1', 'http://127.0.0.1:9', nowhere), ...environment },
    execArgv: ['--no-warnings'],
    stdout: true,
    stderr: true,
  })
  try {
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`the function's thread ended with ${code}`)))
    })
    return answer.kind === 'broken' ? answer.errorMessage.split('\n')[0] : undefined
  } finally {
    await worker.terminate()
  }
}

/** Reads the container's environment as the connector does before anything else. */
export function whyServiceDoesNotStart({ taskDefinition }: ServiceSpec): string | undefined {
  const [container] = taskDefinition.containers
  try {
    readConfig({ ...sdkEnvironment('us-east-1', 'http://127.0.0.1:9', nowhere), ...container?.environment })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
