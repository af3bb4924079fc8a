/** How far a stream mapping has come, kept across starts so that no stream record is lost or (but for the last) repeated. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Running } from '../contracts.ts'

/**
 * - `after`: everything up to this sequence number is done
 * - `start`: nothing is done, but the mapping exists since before the shard's first record, or since `TRIM_HORIZON`
 * - `end`: the shard is closed and done
 */
export type Checkpoint =
  | { readonly kind: 'after'; readonly sequenceNumber: string }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }

export interface Checkpoints {
  get(mappingId: string, shardId: string): Promise<Checkpoint | undefined>
  put(mappingId: string, shardId: string, checkpoint: Checkpoint): Promise<void>
}

/** For one process only. */
export function createMemoryCheckpoints(): Checkpoints {
  const kept = new Map<string, Checkpoint>()
  return {
    get: async (mappingId, shardId) => kept.get(`${mappingId} ${shardId}`),
    put: async (mappingId, shardId, checkpoint) => {
      kept.set(`${mappingId} ${shardId}`, checkpoint)
    },
  }
}

/** Written at most this often; what a killed process did not write comes again, as Lambda's delivery is at least once. */
const writeDelayMs = 100

/**
 * Kept in one JSON file, replaced as a whole so that it is never torn. `stop()` writes what is pending.
 * @throws {Error} when the file is there but can't be read as checkpoints: starting over would repeat all records
 */
export async function openFileCheckpoints(path: string): Promise<Checkpoints & Running> {
  const kept = await load(path)
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, JSON.stringify(Object.fromEntries(kept)))
    await rename(`${path}.new`, path)
  }
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.catch(() => undefined).then(write)
    return writing
  }

  return {
    get: async (mappingId, shardId) => kept.get(`${mappingId} ${shardId}`),
    put: async (mappingId, shardId, checkpoint) => {
      kept.set(`${mappingId} ${shardId}`, checkpoint)
      // A failed write is tried again by the next put and reported by stop().
      timer ??= setTimeout(() => void flush().catch(() => undefined), writeDelayMs)
    },
    stop: flush,
  }
}

async function load(path: string): Promise<Map<string, Checkpoint>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map()
    throw error
  }
  const kept = new Map<string, Checkpoint>()
  for (const [key, value] of Object.entries(JSON.parse(text) as Record<string, unknown>)) {
    if (!isCheckpoint(value)) throw new Error(`${path}: ${key}: expected a checkpoint`)
    kept.set(key, value)
  }
  return kept
}

function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  if (value.kind === 'after') return 'sequenceNumber' in value && typeof value.sequenceNumber === 'string'
  return value.kind === 'start' || value.kind === 'end'
}
