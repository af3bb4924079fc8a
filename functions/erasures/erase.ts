import { randomUUID } from 'node:crypto'
import type { AccountErasing } from '../../shared/aws/account-erasing.ts'
import type { Accounts } from '../../shared/aws/accounts.ts'
import type { Erasure, Erasures } from '../../shared/aws/erasures.ts'
import type { LiveStore } from '../../shared/aws/live.ts'
import type { LiveChanges } from '../../shared/aws/live-changes.ts'
import type { MediaErasing } from '../../shared/aws/media-erasing.ts'
import type { Erased, MessageErasing } from '../../shared/aws/message-erasing.ts'
import type { WebhookLanes } from '../../shared/aws/webhook-lanes.ts'
import type { Webhooks } from '../../shared/aws/webhooks.ts'
import { statusText } from '../../shared/domain/status-text.ts'
import type { ApiConnections, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { DoorbellRinger } from '../../shared/domain/stores/doorbell.ts'
import { assertNever, type BusinessProfileId, type ConnectionId, type EpochMs } from '../../shared/domain/words.ts'
import { isDeleting } from '../deleting.ts'

export interface EraseStores {
  readonly accounts: Accounts
  readonly accountErasing: AccountErasing
  readonly erasures: Erasures
  readonly connections: ApiConnections
  readonly messages: MessageErasing
  readonly media: Pick<MediaErasing, 'eraseConnection' | 'eraseProfile'>
  readonly live: Pick<LiveStore, 'subscriptionsOf' | 'removeSocket'>
  readonly liveChanges: Pick<LiveChanges, 'erase'>
  readonly webhooks: Pick<Webhooks, 'list' | 'remove'>
  readonly webhookLanes: Pick<WebhookLanes, 'purge'>
  readonly doorbells: DoorbellRinger
}

/** Calls, sends, deliveries and the readers of streams that were under way have come to their end after this. */
const settleMs = 90_000
/** An index follows its table within a second or so: a chat is looked through again after this. */
const indexSettleMs = 30_000

/**
 * Goes on with one job for as long as `inTime` says. Every step may be repeated, so a crash costs nothing but the
 * repetition; what cannot end now is waited for, and the next run goes on.
 *
 * @param nowMs wall clock
 */
export async function goOn(
  stores: EraseStores,
  erasure: Erasure,
  nowMs: () => EpochMs,
  inTime: () => boolean,
): Promise<'done' | 'goes on'> {
  const { subject, businessProfileId } = erasure
  switch (subject.kind) {
    case 'contact':
      return eraseContact(stores, erasure, subject, nowMs, inTime)
    case 'connection': {
      const { connectionId } = subject
      const row = await stores.connections.get({ businessProfileId, connectionId })
      if (row !== undefined && isDeleting(row))
        return waitFor(stores, erasure, 'The connection is being logged out.', nowMs)
      // An idempotency key that is used again after a deletion makes a connection of the same id: not ours to empty.
      if (row === undefined) {
        if (!(await eraseConnections(stores, erasure, [connectionId], nowMs, inTime))) return 'goes on'
        if (!settled(erasure, nowMs())) return waitFor(stores, erasure, 'It looks once more for late messages.', nowMs)
      }
      return finish(stores, erasure, nowMs)
    }
    case 'business_profile':
      return eraseProfile(stores, erasure, nowMs, inTime)
    default:
      return assertNever(subject)
  }
}

const settled = ({ createdAt }: Pick<Erasure, 'createdAt'>, nowMs: EpochMs, afterMs = settleMs): boolean =>
  nowMs - Date.parse(createdAt) >= afterMs

const iso = (nowMs: EpochMs): string => new Date(nowMs).toISOString()

async function waitFor(stores: EraseStores, erasure: Erasure, progress: string, nowMs: () => EpochMs) {
  await stores.erasures.note(erasure, { progress }, iso(nowMs()))
  return 'goes on' as const
}

async function finish(stores: EraseStores, erasure: Erasure, nowMs: () => EpochMs) {
  await stores.erasures.finish(erasure, 'Everything is erased.', iso(nowMs()))
  return 'done' as const
}

async function eraseContact(
  stores: EraseStores,
  erasure: Erasure,
  { chat, connectionId }: { readonly chat: string; readonly connectionId?: ConnectionId },
  nowMs: () => EpochMs,
  inTime: () => boolean,
) {
  const { businessProfileId } = erasure
  const rows = connectionId === undefined ? await connectionsOf(stores, businessProfileId) : [{ connectionId }]
  for (const row of rows) {
    const ref = { businessProfileId, connectionId: row.connectionId }
    if (!(await pages(stores, erasure, () => stores.messages.eraseChat(ref, chat), nowMs, inTime))) return 'goes on'
  }
  if (settled(erasure, nowMs(), indexSettleMs)) return finish(stores, erasure, nowMs)
  return waitFor(stores, erasure, 'It looks once more for late messages.', nowMs)
}

async function eraseProfile(stores: EraseStores, erasure: Erasure, nowMs: () => EpochMs, inTime: () => boolean) {
  const { businessProfileId } = erasure
  await stores.accounts.removeApiKeys(businessProfileId)
  const webhookIds = await endWebhooks(stores, erasure, iso(nowMs()))
  const rows = await connectionsOf(stores, businessProfileId)
  const connectionIds = [...new Set([...erasure.connectionIds, ...rows.map((row) => row.connectionId)])]
  // Written down before anything goes, so that what they leave is found later.
  if (connectionIds.length > erasure.connectionIds.length) {
    const connections = connectionIds.length - erasure.connectionIds.length
    await stores.erasures.note(erasure, { connectionIds, connections }, iso(nowMs()))
  }
  for (const row of rows) await requestDeletion(stores, row, iso(nowMs()))
  if (rows.length > 0) {
    return waitFor(stores, erasure, `It waits for ${rows.length} connections to be logged out.`, nowMs)
  }
  const { quietSince } = erasure
  if (quietSince === undefined || webhookIds.length > (erasure.webhookIds ?? []).length) {
    await stores.erasures.note(erasure, { quietSince: iso(nowMs()) }, iso(nowMs()))
  }
  if (quietSince === undefined || !settled({ createdAt: quietSince }, nowMs())) {
    return waitFor(stores, erasure, 'It waits until its last calls have ended.', nowMs)
  }
  for (const { socketId } of await stores.live.subscriptionsOf(businessProfileId)) {
    await stores.live.removeSocket(socketId, businessProfileId)
  }
  if (!(await eraseConnections(stores, erasure, connectionIds, nowMs, inTime))) return 'goes on'
  if (!(await all(() => stores.media.eraseProfile(businessProfileId), inTime))) return 'goes on'
  for (const webhookId of webhookIds) {
    const purge = async () => ({ more: !(await stores.webhookLanes.purge({ businessProfileId, webhookId })) })
    if (!(await all(purge, inTime))) return 'goes on'
  }
  await stores.liveChanges.erase(businessProfileId)
  const others = await stores.erasures.open()
  if (others.some((each) => each.businessProfileId === businessProfileId && each.erasureId !== erasure.erasureId)) {
    return waitFor(stores, erasure, 'It waits for other erasures of the business profile.', nowMs)
  }
  await stores.accountErasing.eraseTrails(businessProfileId, erasure.erasureId)
  await stores.accounts.removeBusinessProfile(businessProfileId)
  return finish(stores, erasure, nowMs)
}

/**
 * Nothing more is stored for its webhooks from now on: what its end brings about goes to the bus alone. What waits for them is
 * erased when whoever found them a moment ago has come to an end. Gives the ids of all that there were.
 */
async function endWebhooks(
  { webhooks, erasures }: EraseStores,
  erasure: Erasure,
  now: string,
): Promise<readonly string[]> {
  const { businessProfileId, webhookIds: known = [] } = erasure
  const found = await webhooks.list(businessProfileId)
  const webhookIds = [...new Set([...known, ...found.map(({ webhookId }) => webhookId)])]
  if (webhookIds.length > known.length) await erasures.note(erasure, { webhookIds }, now)
  for (const webhook of found) await webhooks.remove(webhook)
  return webhookIds
}

/** A command that is there already is rung for again: its doorbell may have been lost. */
async function requestDeletion(stores: EraseStores, row: ConnectionRow, now: string): Promise<void> {
  const { businessProfileId, connectionId, partition } = row
  const command = { commandId: randomUUID(), kind: 'delete', requestedAt: now } as const
  const change = {
    status: 'disconnected',
    reason: 'deleting',
    message: statusText('deleting'),
    remedy: null,
    qr: null,
    pairingCode: null,
    attempt: null,
    maxAttempts: null,
    nextAttemptAt: null,
    restriction: null,
  } as const
  const outcome = await stores.connections.requestCommand(row, command, change, now)
  if (outcome.kind === 'not_found') return
  const commandId = outcome.row.command?.commandId ?? command.commandId
  const ring = { kind: 'command', businessProfileId, connectionId, command: 'delete', commandId } as const
  await stores.doorbells.ring(partition, ring)
}

async function eraseConnections(
  stores: EraseStores,
  erasure: Erasure,
  connectionIds: readonly ConnectionId[],
  nowMs: () => EpochMs,
  inTime: () => boolean,
): Promise<boolean> {
  const { businessProfileId } = erasure
  for (const connectionId of connectionIds) {
    const ref = { businessProfileId, connectionId }
    if (!(await pages(stores, erasure, () => stores.messages.eraseConnection(ref), nowMs, inTime))) return false
    if (!(await all(() => stores.media.eraseConnection(ref), inTime))) return false
  }
  return true
}

/** Whether it came to the end. What was erased is noted page by page: a crash loses a page's count, never a page. */
async function pages(
  stores: EraseStores,
  erasure: Erasure,
  page: () => Promise<Erased>,
  nowMs: () => EpochMs,
  inTime: () => boolean,
): Promise<boolean> {
  for (;;) {
    const { erased, more } = await page()
    if (erased > 0) {
      const progress = 'It erases messages.'
      await stores.erasures.note(erasure, { progress, messages: erased }, iso(nowMs()))
    }
    if (!more) return true
    if (!inTime()) return false
  }
}

/** Whether it came to the end. */
async function all(page: () => Promise<{ readonly more: boolean }>, inTime: () => boolean): Promise<boolean> {
  while ((await page()).more) if (!inTime()) return false
  return true
}

async function connectionsOf(stores: EraseStores, businessProfileId: BusinessProfileId): Promise<ConnectionRow[]> {
  const rows: ConnectionRow[] = []
  let next: string | undefined
  do {
    const page = await stores.connections.list(businessProfileId, 100, next)
    rows.push(...page.items)
    next = page.next
  } while (next !== undefined)
  return rows
}
