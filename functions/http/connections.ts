import { createHash, randomUUID } from 'node:crypto'
import { etagOf, versionOf } from '../../shared/api/common.ts'
import { type CreateConnection, given, toConnection } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { businessProfiles } from '../../shared/aws/business-profiles.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { erasures } from '../../shared/aws/erasures.ts'
import { connectionIdOf, newConnectionId, partitionOf } from '../../shared/aws/ids.ts'
import { statusText } from '../../shared/domain/status-text.ts'
import type { ConnectionChange, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import {
  assertNever,
  type CommandKind,
  type ConnectionCommand,
  type ConnectionRef,
  type PairingMethod,
} from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { isDeleting } from '../deleting.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { settingsOfConnections } from './apply-settings.ts'
import { startErasure } from './erasing.ts'
import { qrAnswer } from './qr.ts'
import { httpHandler } from './stack.ts'

const config = configure('ACCOUNTS_TABLE', 'CONNECTIONS_TABLE', 'PARTITION_QUEUE_PREFIX', 'PARTITION_COUNT')
const documents = documentClient()
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const accountsTable = { documents, table: config.ACCOUNTS_TABLE }
const profiles = businessProfiles(accountsTable)
const jobs = erasures(accountsTable)
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })

type RefCall = {
  readonly principal: { readonly businessProfileId: string }
  readonly params: { readonly connectionId: string }
}

const refOf = ({ principal, params }: RefCall): ConnectionRef => ({
  businessProfileId: principal.businessProfileId,
  connectionId: params.connectionId,
})

const pairingStatus = {
  status: 'qr_pending',
  reason: 'pairing_requested',
  message: statusText('pairing_requested'),
} as const

/** Until a worker says otherwise, nothing that it said before holds. */
const nothingElse = {
  remedy: null,
  qr: null,
  pairingCode: null,
  attempt: null,
  maxAttempts: null,
  nextAttemptAt: null,
} as const satisfies ConnectionChange

async function connectionAt(ref: ConnectionRef): Promise<ConnectionRow> {
  const row = await connections.get(ref)
  if (row === undefined) throw new Problem('connection_not_found')
  return row
}

/** Stores the command with `change`, then rings. A command that is open already is rung for again: its doorbell may be lost. */
async function request(
  ref: ConnectionRef,
  kind: CommandKind,
  change: ConnectionChange = {},
  method?: PairingMethod,
): Promise<ConnectionRow> {
  const now = isoNow()
  const command: ConnectionCommand = { commandId: randomUUID(), kind, requestedAt: now, ...given('method', method) }
  const outcome = await connections.requestCommand(ref, command, change, now)
  if (outcome.kind === 'not_found') throw new Problem('connection_not_found')
  const { row } = outcome
  if (kind !== 'delete' && isDeleting(row)) throw new Problem('connection_deleting')
  await ring(row)
  if (outcome.kind === 'already' && row.command?.kind !== kind) {
    throw new Problem('logout_pending', { detail: 'Try again when it is logged out.', retryAfterSeconds: 1 })
  }
  log.info('command stored', { command: kind, outcome: outcome.kind })
  return row
}

const shown = (row: ConnectionRow) => ({ body: toConnection(row), headers: { etag: etagOf(row) } })

const isOpen = ({ command, handledCommandId }: ConnectionRow): boolean =>
  command !== undefined && command.commandId !== handledCommandId

async function ring(row: ConnectionRow): Promise<void> {
  const { businessProfileId, connectionId, command } = row
  if (command === undefined || !isOpen(row)) return
  await doorbells.ring(row.partition, {
    kind: 'command',
    businessProfileId,
    connectionId,
    command: command.kind,
    commandId: command.commandId,
  })
}

/** The same body, however it was written: the hash is over what was understood. */
function hashOf({ label, pairing, phoneNumber, ignore }: CreateConnection): string {
  const canonical = JSON.stringify([
    label,
    pairing,
    phoneNumber ?? null,
    ignore?.groups ?? null,
    ignore?.status ?? null,
    // Only where it is said: bodies from before it existed keep their hash.
    ...(ignore?.channels === undefined ? [] : [ignore.channels]),
  ])
  return createHash('sha256').update(canonical).digest('hex')
}

const made = (row: ConnectionRow) => ({
  body: toConnection(row),
  headers: { etag: etagOf(row), location: `/connections/${row.connectionId}` },
})

/** The same key and body again: the connection as it is now. Its doorbell may have been lost. */
async function createdBefore(row: ConnectionRow, bodyHash: string) {
  if (row.bodyHash !== bodyHash) throw new Problem('idempotency_conflict')
  await ring(row)
  return made(row)
}

export const handler = httpHandler({
  createConnection: async ({ principal, headers, body }) => {
    const { businessProfileId } = principal
    const idempotencyKey = headers['idempotency-key']
    const connectionId =
      idempotencyKey === undefined ? newConnectionId() : connectionIdOf(businessProfileId, idempotencyKey)
    const bodyHash = hashOf(body)
    const before = idempotencyKey === undefined ? undefined : await connections.get({ businessProfileId, connectionId })
    if (before !== undefined) return createdBefore(before, bodyHash)
    const profile = await profiles.getBusinessProfile(businessProfileId)
    // Its keys are gone; this one was remembered for its last seconds.
    if (profile?.state !== 'active') throw new Problem('invalid_api_key')
    const { connections: max } = profile.quotas
    if (max !== undefined && (max === 0 || (await connections.count(businessProfileId, max)) >= max)) {
      throw new Problem('connection_quota_reached', { detail: `It may have ${max} at a time.` })
    }
    const { retention, sendsPerDay } = settingsOfConnections(profile)
    const now = isoNow()
    const row: ConnectionRow = {
      businessProfileId,
      connectionId,
      label: body.label,
      pairing: body.pairing,
      ...given('phoneNumber', body.phoneNumber),
      ...given('ignore', body.ignore),
      ...given('downloadMedia', body.downloadMedia),
      ...pairingStatus,
      retention,
      ...given('sendsPerDay', sendsPerDay ?? undefined),
      ...given('bodyHash', idempotencyKey === undefined ? undefined : bodyHash),
      partition: partitionOf(connectionId, config.PARTITION_COUNT),
      epoch: 0,
      version: 1,
      createdAt: now,
      updatedAt: now,
      command: { commandId: randomUUID(), kind: 'pair', requestedAt: now, method: body.pairing },
    }
    const created = await connections.create(row)
    // The same call at the same moment was first. An id of chance is there only where the answer to this very write was lost.
    if (created.kind === 'exists' && idempotencyKey !== undefined) {
      return createdBefore(await connectionAt(row), bodyHash)
    }
    await ring(row)
    log.info('connection created', { connectionId })
    return made(row)
  },

  listConnections: async ({ principal, query }) => {
    const page = await connections.list(principal.businessProfileId, query.limit, query.next)
    return { body: { items: page.items.map(toConnection), ...given('next', page.next) } }
  },

  getConnection: async (call) => shown(await connectionAt(refOf(call))),

  updateConnection: async (call) => {
    const seen = call.headers['if-match']
    if (isDeleting(await connectionAt(refOf(call)))) throw new Problem('connection_deleting')
    const { label, pace, ignore, downloadMedia } = call.body
    const settings = {
      ...given('label', label),
      ...given('pace', pace),
      ...given('ignore', ignore),
      ...given('downloadMedia', downloadMedia),
    }
    const version = seen === undefined ? undefined : versionOf(seen)
    const outcome = await connections.configure(refOf(call), settings, isoNow(), version)
    switch (outcome.kind) {
      case 'not_found':
        throw new Problem('connection_not_found')
      case 'changed':
        throw new Problem('precondition_failed', { headers: { etag: etagOf(outcome.row) } })
      case 'written': {
        const { row } = outcome
        // A worker that does not hear of it reads the row at its next look.
        const doorbell = { kind: 'settings', ...refOf(call), version: row.version } as const
        await doorbells.ring(row.partition, doorbell).catch((error: unknown) => {
          log.warn('doorbell did not ring', { error: error as Error })
        })
        return shown(row)
      }
      default:
        return assertNever(outcome)
    }
  },

  getConnectionQr: async (call) => qrAnswer(await connectionAt(refOf(call)), call.accept, isoNow()),

  pairConnection: async (call) => {
    const { body } = call
    const row = await connectionAt(refOf(call))
    if (isDeleting(row)) throw new Problem('connection_deleting')
    if (row.status === 'connected' || row.status === 'reconnecting') {
      throw new Problem('already_linked', { detail: 'Log it out before it is paired again.' })
    }
    const method = body.pairing ?? row.pairing
    if (method === 'code' && (body.phoneNumber ?? row.phoneNumber) === undefined) {
      const message = 'is required when pairing is by code'
      throw new Problem('invalid_request', {
        detail: `phoneNumber: ${message}`,
        errors: [{ field: 'phoneNumber', message }],
      })
    }
    const change: ConnectionChange = {
      ...pairingStatus,
      pairing: method,
      ...given('phoneNumber', body.phoneNumber),
      ...nothingElse,
    }
    return { body: toConnection(await request(refOf(call), 'pair', change, method)) }
  },

  restartConnection: async (call) => {
    const row = await connectionAt(refOf(call))
    if (row.command?.kind === 'pair' && isOpen(row)) {
      // Pairing is about to start: a restart would take the command's place and add nothing to it.
      await ring(row)
      return { body: toConnection(row) }
    }
    return { body: toConnection(await request(refOf(call), 'restart')) }
  },

  logoutConnection: async (call) => ({ body: toConnection(await request(refOf(call), 'logout')) }),

  deleteConnection: async (call) => {
    const change: ConnectionChange = {
      status: 'disconnected',
      reason: 'deleting',
      message: statusText('deleting'),
      ...nothingElse,
      restriction: null,
    }
    const row = await request(refOf(call), 'delete', change)
    const { businessProfileId, connectionId } = row
    // What it leaves goes when it is gone; one job, however often the deletion is asked for.
    const subject = { kind: 'connection', connectionId } as const
    await startErasure(
      jobs,
      businessProfileId,
      subject,
      `era_${connectionId}_${Date.parse(row.createdAt).toString(36)}`,
    )
    return { body: toConnection(row) }
  },
})
