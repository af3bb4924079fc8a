import { scopeOfOperation, toOperation } from '../../shared/api/operations.ts'
import { Problem } from '../../shared/api/problems.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { apiOperations } from '../../shared/aws/operations.ts'
import type { OperationRequest } from '../../shared/domain/operations.ts'
import { originOf } from '../../shared/domain/trace.ts'
import { configure, currentTrace } from '../config.ts'
import { log } from '../log.ts'
import { acceptOperation } from '../operations/accept-operation.ts'
import { waitPreference } from '../operations/preference.ts'
import { untilEnded } from '../operations/until-ended.ts'
import { requireScope } from './principal.ts'
import { httpHandler } from './stack.ts'

const config = configure('CONNECTIONS_TABLE', 'MESSAGES_TABLE', 'PARTITION_QUEUE_PREFIX')
const documents = documentClient()
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const operations = apiOperations({ documents, table: config.MESSAGES_TABLE })
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })
const stores = { connections, operations, doorbells }

interface OperationCall {
  readonly principal: { readonly businessProfileId: string }
  readonly params: { readonly connectionId: string }
  readonly requestId: string
  readonly headers: { readonly prefer?: string | undefined; readonly 'idempotency-key'?: string | undefined }
}

/** Accepts the operation and waits for its end as long as the caller prefers. */
async function carriedOut(call: OperationCall, request: OperationRequest) {
  const ref = { businessProfileId: call.principal.businessProfileId, connectionId: call.params.connectionId }
  const { waitMs, applied } = waitPreference(call.headers.prefer)
  const origin = originOf(call.requestId, currentTrace())
  const accepted = await acceptOperation(stores, ref, request, call.headers['idempotency-key'], Date.now(), origin)
  if (accepted.kind !== 'accepted') throw new Problem(accepted.kind)
  const row = await untilEnded(operations, accepted.row, waitMs)
  const { operationId, status } = row
  log.info('operation accepted', { operationId, operation: request.kind, operationStatus: status })
  const preferred: Record<string, string> = applied === undefined ? {} : { 'preference-applied': applied }
  // The schema of the kind is what the worker's result has by `OperationKinds`.
  const body = toOperation(row) as never
  if (status !== 'pending') return { body, headers: preferred }
  const location = `/connections/${ref.connectionId}/operations/${operationId}`
  return { body, also: true as const, headers: { ...preferred, location, 'retry-after': '1' } }
}

export const handler = httpHandler({
  getOperation: async ({ principal, params }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const [row, connection] = await Promise.all([operations.get(ref, params.operationId), connections.get(ref)])
    if (connection === undefined) throw new Problem('connection_not_found')
    if (row === undefined) throw new Problem('operation_not_found')
    requireScope(principal.scopes, scopeOfOperation(row.request.kind))
    return { body: toOperation(row) }
  },

  checkContacts: (call) => carriedOut(call, { kind: 'check_contacts', ...call.body }),
  getContact: (call) => carriedOut(call, { kind: 'get_contact', contact: call.params.contact }),
  subscribePresence: (call) => carriedOut(call, { kind: 'subscribe_presence', contact: call.params.contact }),
  listBlocked: (call) => carriedOut(call, { kind: 'list_blocked' }),
  blockContact: (call) => carriedOut(call, { kind: 'block_contact', ...call.body }),
  unblockContact: (call) => carriedOut(call, { kind: 'unblock_contact', contact: call.params.contact }),

  listGroups: (call) => carriedOut(call, { kind: 'list_groups' }),
  createGroup: (call) => carriedOut(call, { kind: 'create_group', ...call.body }),
  joinGroup: (call) => carriedOut(call, { kind: 'join_group', code: call.body.invite }),
  getGroup: (call) => carriedOut(call, { kind: 'get_group', ...groupOf(call) }),
  updateGroup: (call) => carriedOut(call, { kind: 'update_group', ...groupOf(call), ...call.body }),
  leaveGroup: (call) => carriedOut(call, { kind: 'leave_group', ...groupOf(call) }),
  setGroupPicture: (call) => carriedOut(call, { kind: 'set_group_picture', ...groupOf(call), ...call.body }),
  removeGroupPicture: (call) => carriedOut(call, { kind: 'set_group_picture', ...groupOf(call) }),
  addParticipants: (call) => carriedOut(call, { kind: 'add_participants', ...groupOf(call), ...call.body }),
  removeParticipants: (call) => carriedOut(call, { kind: 'remove_participants', ...groupOf(call), ...call.body }),
  promoteParticipants: (call) => carriedOut(call, { kind: 'promote_participants', ...groupOf(call), ...call.body }),
  demoteParticipants: (call) => carriedOut(call, { kind: 'demote_participants', ...groupOf(call), ...call.body }),
  getGroupInvite: (call) => carriedOut(call, { kind: 'get_group_invite', ...groupOf(call) }),
  revokeGroupInvite: (call) => carriedOut(call, { kind: 'revoke_group_invite', ...groupOf(call) }),
})

const groupOf = ({ params }: { readonly params: { readonly groupId: string } }) => ({ group: params.groupId })
