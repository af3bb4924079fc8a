import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Local, LocalOptions } from '../../local/engine/options.ts'
import { startLocal } from '../../local/engine/start.ts'
import { type Rest, rest } from './callers.ts'
import type { Place } from './story.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface RunningPlace extends Place {
  readonly local: Local
  readonly control: Rest
  stop(): Promise<void>
}

/** Local mode in an empty state folder, on free ports, refusing what the template does not grant. */
export async function startPlace(options: Partial<LocalOptions> = {}): Promise<RunningPlace> {
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
  }).catch((error: unknown) => {
    rmSync(stateDir, { recursive: true, force: true })
    throw error
  })
  const control = rest(local.controlUrl)
  const { httpUrl, liveUrl, sendsQueueUrl, adminApiKey, simulatorUrl, region, endpoint, rootCredentials } = local
  if (simulatorUrl === undefined) throw new Error('local mode started without the simulated WhatsApp')
  return {
    local,
    control,
    httpUrl,
    liveUrl,
    sendsQueueUrl,
    adminApiKey,
    simulatorUrl,
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
      await local.stop()
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}
