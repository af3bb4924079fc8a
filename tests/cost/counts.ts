/** The counts of a run, as they are checked in: what `npm run bench -- cost` makes, and docs/cost.md is made of. */
import type { CountedSettings } from './settings.ts'
import type { Group } from './tally.ts'

export interface Amount extends Group {
  readonly requests: number
  readonly writeUnits: number
  readonly readUnits: number
  /** Of frames to sockets (up to 32 KB each) and of events (up to 64 KB). */
  readonly pieces: number
  /** Of lines. */
  readonly bytes: number
}

export const operationNames = [
  'send by REST',
  'send by queue',
  'received message',
  'received message, to a webhook',
  'connection lost and restored',
  'send by REST, watched',
  'connection lost and restored, watched',
] as const
export type OperationName = (typeof operationNames)[number]

/** What there is more of, there is more of it. */
export type Per = 'worker' | 'partition' | 'deployment'

/** In an hour. */
export interface IdleAmount extends Amount {
  readonly per: Per
}

export interface Counts {
  readonly countedOn: string
  readonly settings: CountedSettings
  /** Of one operation. */
  readonly operations: Readonly<Record<OperationName, readonly Amount[]>>
  /** How many browsers watched where one says so. */
  readonly watchers: number
  readonly idle: readonly IdleAmount[]
  /** As DynamoDB counts them. */
  readonly itemBytes: { readonly connection: number; readonly worker: number; readonly partition: number }
  /** What a message leaves in its table, indexes included. */
  readonly storedBytes: { readonly send: number; readonly received: number }
}
