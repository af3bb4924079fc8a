import { randomUUID } from 'node:crypto'
import { etagOf } from '../../shared/api/common.ts'
import { given, toConnection } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { authStore } from '../../shared/aws/auth.ts'
import { encodeChanges } from '../../shared/aws/auth-codec.ts'
import { businessProfiles } from '../../shared/aws/business-profiles.ts'
import { documentClient, objectClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { newConnectionId, partitionOf } from '../../shared/aws/ids.ts'
import { connectionsOfDevice, importedDevices } from '../../shared/aws/imported-devices.ts'
import { needsLinking } from '../../shared/domain/lifecycle-table.ts'
import { statusText } from '../../shared/domain/status-text.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { readBaileysFolder } from '../imports/baileys-folder.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { settingsOfConnections } from './apply-settings.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'CONNECTIONS_TABLE',
  'AUTH_TABLE',
  'AUTH_BUCKET',
  'PARTITION_QUEUE_PREFIX',
  'PARTITION_COUNT',
)
const documents = documentClient()
const accountsTable = { documents, table: config.ACCOUNTS_TABLE }
const connectionsTable = { documents, table: config.CONNECTIONS_TABLE }
const profiles = businessProfiles(accountsTable)
const devices = importedDevices(accountsTable)
const connections = apiConnections(connectionsTable)
const auth = authStore({ documents, table: config.AUTH_TABLE, objects: objectClient(), bucket: config.AUTH_BUCKET })
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })

const isLinked = (row: ConnectionRow | undefined): boolean => row !== undefined && !needsLinking.has(row.reason)

/** Two holders of one device end each other's connections and break each other's keys. */
async function refuseSecond(jid: string): Promise<void> {
  const others = await connectionsOfDevice(connectionsTable, jid)
  if (others.some(isLinked)) throw new Problem('device_already_linked')
}

async function claim(identity: string, ref: ConnectionRef): Promise<void> {
  const claimed = await devices.claim(identity, ref)
  if (claimed.kind === 'claimed') return
  // Left behind by an import that broke off, by a deletion, or by a logout.
  if (isLinked(await connections.get(claimed.by))) throw new Problem('device_already_linked')
  await devices.release(identity, claimed.by)
  if ((await devices.claim(identity, ref)).kind === 'taken') throw new Problem('device_already_linked')
}

/**
 * Takes over a linked device with its keys. All of it is written before the connection's row is, which is what makes a worker look:
 * so there is one writer at any time, and an import that breaks off leaves nothing that anybody reads.
 */
export const handler = httpHandler({
  importConnection: async ({ params, body }) => {
    const { businessProfileId } = params
    const profile = await profiles.getBusinessProfile(businessProfileId)
    if (profile === undefined) throw new Problem('business_profile_not_found')
    if (profile.state === 'erasing') throw new Problem('business_profile_erasing')
    const { connections: max } = profile.quotas
    if (max !== undefined && (max === 0 || (await connections.count(businessProfileId, max)) >= max)) {
      throw new Problem('connection_quota_reached', { detail: `It may have ${max} at a time.` })
    }
    const device = readBaileysFolder(body.files)
    const connectionId = newConnectionId()
    const ref: ConnectionRef = { businessProfileId, connectionId }
    await refuseSecond(device.jid)
    await claim(device.identity, ref)

    const state = encodeChanges('snapshot', device.records)
    await auth.claim(ref, 0)
    const snapshot = await auth.writeSnapshot(ref, 0, 0, randomUUID(), state)
    await auth.commitSnapshot(ref, 0, snapshot, 'linked')

    const now = isoNow()
    const { retention, sendsPerDay } = settingsOfConnections(profile)
    const commandId = randomUUID()
    const row: ConnectionRow = {
      ...ref,
      label: body.label,
      pairing: 'qr',
      phoneNumber: device.phoneNumber,
      jid: device.jid,
      ...given('lid', device.lid),
      status: 'reconnecting',
      reason: 'restoring',
      message: statusText('restoring'),
      retention,
      ...given('sendsPerDay', sendsPerDay ?? undefined),
      partition: partitionOf(connectionId, config.PARTITION_COUNT),
      epoch: 0,
      version: 1,
      createdAt: now,
      updatedAt: now,
      linkedAt: now,
      command: { commandId, kind: 'restart', requestedAt: now },
    }
    const created = await connections.create(row)
    if (created.kind === 'exists') throw new Error('a fresh connection id is taken')
    await doorbells.ring(row.partition, { kind: 'command', ...ref, command: 'restart', commandId })
    log.info('connection imported', { connectionId, records: device.records.length })
    return {
      body: toConnection(row),
      headers: { etag: etagOf(row), location: `/connections/${connectionId}` },
    }
  },
})
