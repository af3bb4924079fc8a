import { z } from 'zod'
import type { Log, Random } from '../ports.ts'

/** Who this process is to the platform and to the fleet. */
export interface TaskIdentity {
  /** Names the task in the platform's events; `local:<id>` where there is no platform. */
  readonly taskArn: string
  /** Task id and a nonce of this boot: a container that starts again in the same task is another worker. */
  readonly workerId: string
  /** Newer deployments come later in the order of text: the revision of the task definition, padded with zeros. */
  readonly deployment: string
}

/** Of the answer to `GET <ECS_CONTAINER_METADATA_URI_V4>/task`. */
const taskMetadata = z.object({ TaskARN: z.string().min(1), Revision: z.string().regex(/^\d+$/).optional() })

const tries = 3
const timeoutMs = 2_000

/**
 * Without an answer the worker goes on under a name of its own: then only a task state change no longer shortens the wait for
 * its lease.
 */
export async function taskIdentity(
  metadataUri: string | undefined,
  deployment: string | undefined,
  random: Random,
  log: Log,
): Promise<TaskIdentity> {
  const task = metadataUri === undefined ? undefined : await askMetadata(metadataUri, log)
  const taskArn = task?.TaskARN ?? `local:${random.id()}`
  const taskId = taskArn.split(/[/:]/).at(-1) ?? taskArn
  return {
    taskArn,
    workerId: `${taskId}-${random.id().slice(0, 8)}`,
    deployment: deployment ?? (task?.Revision ?? '').padStart(10, '0'),
  }
}

async function askMetadata(metadataUri: string, log: Log): Promise<z.infer<typeof taskMetadata> | undefined> {
  let reason: unknown
  for (let attempt = 0; attempt < tries; attempt++) {
    try {
      const answer = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(timeoutMs) })
      if (!answer.ok) throw new Error(`the task metadata endpoint answered ${answer.status}`)
      return taskMetadata.parse(await answer.json())
    } catch (error) {
      reason = error
    }
  }
  log.warn({ err: reason }, 'The task metadata endpoint cannot be read; the worker gives itself a name')
  return undefined
}
