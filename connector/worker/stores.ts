import { authStore } from '../../shared/aws/auth.ts'
import { objectClient } from '../../shared/aws/clients.ts'
import { workerConnections } from '../../shared/aws/connections.ts'
import { directDocumentClient } from '../../shared/aws/direct-documents.ts'
import { directPollingClient, directQueueClient } from '../../shared/aws/direct-queues.ts'
import { doorbellQueue } from '../../shared/aws/doorbells.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { mediaStore } from '../../shared/aws/media.ts'
import { mediaObjects } from '../../shared/aws/media-objects.ts'
import { messageLookup } from '../../shared/aws/message-lookup.ts'
import { workerMessages } from '../../shared/aws/messages.ts'
import { workerOperations } from '../../shared/aws/operations.ts'
import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { WorkerConnections } from '../../shared/domain/stores/connections.ts'
import type { DoorbellQueue } from '../../shared/domain/stores/doorbell.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'
import type { MediaObjects, MediaStore } from '../../shared/domain/stores/media.ts'
import type { MessageLookup, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { WorkerOperations } from '../../shared/domain/stores/operations.ts'
import type { Config } from '../config.ts'

export interface Stores {
  readonly connections: WorkerConnections
  readonly messages: WorkerMessages
  readonly messageLookup: MessageLookup
  readonly operations: WorkerOperations
  readonly auth: AuthStore
  readonly media: MediaStore
  readonly mediaObjects: MediaObjects
  readonly fleet: FleetStore
  readonly doorbells: DoorbellQueue
}

/** Restoring hundreds of connections reads their auth state side by side. */
const storeSockets = 100
const mediaSilenceMs = 60_000

/**
 * All stores over the SDK, with timeouts of their own; polling has as many sockets as there are queues to poll.
 *
 * @param leaseValid asked before every attempt of every call but those to the fleet, by which a lease is had in the first place
 */
export function openStores(config: Config, leaseValid: () => boolean): Stores {
  const region = config.AWS_REGION
  const mayCall = leaseValid
  const documents = directDocumentClient({ region, sockets: storeSockets, mayCall })
  const objects = objectClient({ region, sockets: storeSockets, mayCall })
  return {
    connections: workerConnections({ documents, table: config.CONNECTIONS_TABLE }),
    messages: workerMessages({ documents, table: config.MESSAGES_TABLE }),
    messageLookup: messageLookup({ documents, table: config.MESSAGES_TABLE }),
    operations: workerOperations({ documents, table: config.MESSAGES_TABLE }),
    auth: authStore({ documents, table: config.AUTH_TABLE, objects, bucket: config.AUTH_BUCKET }),
    media: mediaStore({ documents, table: config.MEDIA_TABLE }),
    // Of its own: a reading waits for as long as what is read goes on elsewhere.
    mediaObjects: mediaObjects({
      objects: objectClient({ region, sockets: 4 * config.MEDIA_TRANSFERS, requestTimeoutMs: mediaSilenceMs }),
      bucket: config.MEDIA_BUCKET,
    }),
    // A client of its own: the fleet is looked at while the other's sockets are all busy.
    fleet: fleetStore({
      documents: directDocumentClient({ region, sockets: 10, requestTimeoutMs: 2_000 }),
      table: config.FLEET_TABLE,
    }),
    doorbells: doorbellQueue({
      queues: directQueueClient({ region, mayCall }),
      polling: directPollingClient({ region, sockets: config.PARTITION_COUNT, mayCall }),
      partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX,
      deadLetterQueueUrl: config.DOORBELL_DLQ_URL,
    }),
  }
}
