import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Local, LocalOptions } from '../../local/engine/options.ts'
import { startLocal } from '../../local/engine/start.ts'
import { type Rest, rest } from './callers.ts'
import type { Place } from './story.ts'
import { noteUsedWires } from './used-wires.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface RunningPlace extends Place {
  readonly local: Local
  readonly control: Rest
  stop(): Promise<void>
}

/** Several times what a stop takes on a busy machine: only a hang meets it. */
const stopMsMax = 90_000

export interface PlaceOptions extends Partial<LocalOptions> {
  /** A wire of the template was taken away: that something is refused is what the test looks for. */
  readonly incomplete?: true
}

/**
 * Local mode in an empty state folder, on free ports, refusing what the template does not grant. Its `stop` rejects where
 * something was refused, so that no run passes that met a missing grant, permission or entry, whatever it looked at.
 */
export async function startPlace({ incomplete, ...options }: PlaceOptions = {}): Promise<RunningPlace> {
  const stateDir = mkdtempSync(join(tmpdir(), 'holdfast-place-'))
  const local = await startLocal({
    root,
    stateDir,
    port: 0,
    workers: 1,
    whatsapp: { kind: 'simulated' },
    iam: true,
    fresh: true,
    ...options,
    environmentOverrides: {
      ...options.environmentOverrides,
      containers: {
        ...options.environmentOverrides?.containers,
        // A worker that is asked to stop lets its last polls end; figures are written while somebody looks.
        connector: {
          DOORBELL_WAIT_SECONDS: '1',
          METRICS_MS: '1000',
          ...options.environmentOverrides?.containers?.connector,
        },
      },
    },
  }).catch((error: unknown) => {
    rmSync(stateDir, { recursive: true, force: true })
    throw error
  })
  const control = rest(local.controlUrl)
  const { httpUrl, liveUrl, sendsQueueUrl, adminApiKey, simulatorUrl, region, endpoint, rootCredentials } = local
  if (simulatorUrl === undefined && options.whatsapp?.kind !== 'server') {
    throw new Error('local mode started without the simulated WhatsApp')
  }
  return {
    local,
    control,
    httpUrl,
    liveUrl,
    sendsQueueUrl,
    adminApiKey,
    // Whoever brings a server of their own talks to it directly.
    simulatorUrl: simulatorUrl ?? '',
    aws: { region, endpoint, credentials: rootCredentials },
    async killConnector() {
      const { body } = await control.get('/tasks')
      for (const task of body.tasks) {
        const killed = await control.post(`/tasks/${encodeURIComponent(task.taskId ?? task.id)}/kill`, {
          signal: 'SIGKILL',
        })
        if (killed.status !== 202) throw new Error(`kill: ${killed.status} ${JSON.stringify(killed.body)}`)
      }
    },
    async stop() {
      noteUsedWires(local.calls())
      await within(stopMsMax, local.stop(), () => local.logs('local mode').at(-1)?.message ?? 'nothing was logged')
      rmSync(stateDir, { recursive: true, force: true })
      if (!incomplete) demandNothingRefused(local)
    },
  }
}

function demandNothingRefused(local: Local): void {
  const { counts, failures } = local.calls()
  const refused = counts.filter((count) => count.refused > 0)
  const calls = refused.map(({ role, action, resource }) => `${role} was refused ${action} on ${resource}`)
  if (calls.length + failures.length > 0) throw new Error([...calls, ...failures].join('\n'))
}

/** @throws {Error} with what the stop was doing, when it takes too long */
async function within(ms: number, stopping: Promise<void>, doing: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StopHung(`local mode did not stop within ${ms / 1_000} s; ${doing()}`)), ms)
  })
  await Promise.race([stopping, late]).finally(() => clearTimeout(timer))
}

/** A bug of local mode itself, whatever a test expects to fail. */
class StopHung extends Error {
  override readonly name = 'StopHung'
}
