import { z } from 'zod'
import {
  apiKeyListSchema,
  auditPageSchema,
  businessProfilePageSchema,
  businessProfileSchema,
  createApiKeySchema,
  createBusinessProfileSchema,
  newApiKeySchema,
  rotateApiKeySchema,
  updateBusinessProfileSchema,
} from './admin.ts'
import { idSchema, ifMatchSchema, noQuerySchema, pageQuerySchema } from './common.ts'
import {
  connectionPageSchema,
  connectionSchema,
  createConnectionSchema,
  pairConnectionSchema,
  qrSchema,
  updateConnectionSchema,
} from './connections.ts'
import {
  chosenDeadLettersSchema,
  deadLetterListSchema,
  deadLetterOutcomesSchema,
  deadLetterQueueListSchema,
  deadLetterQueueNameSchema,
  peekQuerySchema,
} from './dead-letters.ts'
import { erasurePageSchema, erasureSchema, startErasureSchema } from './erasures.ts'
import { fleetSchema } from './fleet.ts'
import { healthSchema } from './health.ts'
import { importBytesMax, importConnectionSchema } from './imports.ts'
import { liveTicketSchema } from './live.ts'
import { createMediaSchema, mediaSchema, newMediaSchema } from './media.ts'
import {
  acceptedMessageSchema,
  chatPresenceSchema,
  idempotencyKeySchema,
  messagePageSchema,
  messageQuerySchema,
  messageSchema,
  sendMessageSchema,
} from './messages.ts'
import { operationRoutes } from './operation-routes.ts'
import { preferSchema } from './operations.ts'
import type { ProblemCode } from './problems.ts'
import type { Scope } from './scopes.ts'
import { webhookRoutes } from './webhook-routes.ts'

export type HttpMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE'
/** Name of the function under `functions/http/` that answers. */
export type HttpFunction =
  | 'connections'
  | 'messages'
  | 'media'
  | 'operations'
  | 'live-tickets'
  | 'account'
  | 'imports'
  | 'admin'
  | 'dead-letters'
  | 'fleet'
  | 'webhooks'
  | 'health'
  | 'public'
/** `tenant`: a business profile's key; `admin`: the admin key; `optional`: anybody, and the admin key shows more; `none`: anybody. */
export type HttpAuth = 'tenant' | 'admin' | 'optional' | 'none'

export interface ResponseContract {
  readonly status: number
  readonly description: string
  /** Another good status with the same body, and when it is given. */
  readonly also?: { readonly status: number; readonly description: string }
  /** Body as `application/json`. Absent: no body, or only `otherMediaTypes`. */
  readonly body?: z.ZodType
  /** Media types beside JSON that the caller may ask for. */
  readonly otherMediaTypes?: readonly string[]
}

/**
 * One call of the REST API: what infra routes, functions check and answer, OpenAPI documents and the client speaks.
 *
 * A new route needs: a row in `routes` with its function's name (and the function in `infra/rest-api.ts`); `scope` where it
 * is a tenant's (one of `shared/api/scopes.ts`; a new one is added there); schemas whose fields carry an `example` where a text
 * has a form (the document's examples are made of them).
 */
export type RouteContract = RouteParts & (TenantRoute | OtherRoute)

interface TenantRoute {
  readonly auth: 'tenant'
  /** What the key must be allowed to do; of several, any of them. */
  readonly scope: Scope | readonly Scope[]
}

interface OtherRoute {
  readonly auth: 'admin' | 'optional' | 'none'
  readonly scope?: never
}

interface RouteParts {
  readonly method: HttpMethod
  readonly path: string
  readonly function: HttpFunction
  readonly operationId: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  /** By lower-case name. Headers that are not named here are not looked at. */
  readonly headers?: z.ZodObject
  readonly body?: z.ZodType
  /** A call without a body is answered like one with `{}`. */
  readonly bodyOptional?: true
  /** Calls that change something stand in the audit log, except those so frequent that it would hold nothing else. */
  readonly unaudited?: true
  /** Where another than `bodyBytesMax` holds; after decompression. */
  readonly bodyBytesMax?: number
  readonly response: ResponseContract
  /** Beside those that every route of its kind of authentication has. */
  readonly problems: readonly ProblemCode[]
}

const noParams = z.strictObject({})
const connectionParams = z.strictObject({ connectionId: idSchema })
const messageParams = z.strictObject({ connectionId: idSchema, messageId: idSchema })
const mediaParams = z.strictObject({ mediaId: idSchema })
const profileParams = z.strictObject({ businessProfileId: idSchema })
const keyParams = z.strictObject({ businessProfileId: idSchema, keyId: idSchema })
const ownKeyParams = z.strictObject({ keyId: idSchema })

const ofTenant = { auth: 'tenant', query: noQuerySchema } as const
const ofAdmin = { auth: 'admin', function: 'admin', tag: 'Admin', query: noQuerySchema } as const

const ofAccount = { ...ofTenant, function: 'account' } as const

const ofDeadLetters = {
  ...ofAdmin,
  function: 'dead-letters',
  params: z.strictObject({ queue: deadLetterQueueNameSchema }),
  problems: [],
} as const

const connectionCommand = {
  ...ofTenant,
  method: 'POST',
  function: 'connections',
  tag: 'Connections',
  scope: 'connections:write',
  params: connectionParams,
  bodyOptional: true,
  body: z.strictObject({}),
  response: { status: 202, description: 'Accepted; the connection as it is now.', body: connectionSchema },
  problems: ['connection_not_found', 'connection_deleting'],
} as const

export const routes = {
  createConnection: {
    ...ofTenant,
    method: 'POST',
    path: '/connections',
    function: 'connections',
    operationId: 'createConnection',
    scope: 'connections:write',
    tag: 'Connections',
    summary: 'Creates a connection and starts pairing.',
    params: noParams,
    headers: z.object({ 'idempotency-key': idempotencyKeySchema.optional() }),
    body: createConnectionSchema,
    response: { status: 201, description: 'The connection, waiting to be paired.', body: connectionSchema },
    problems: ['idempotency_conflict', 'connection_quota_reached'],
  },
  listConnections: {
    ...ofTenant,
    method: 'GET',
    path: '/connections',
    function: 'connections',
    operationId: 'listConnections',
    scope: 'connections:read',
    tag: 'Connections',
    summary: 'Lists the connections of the business profile.',
    params: noParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of connections.', body: connectionPageSchema },
    problems: [],
  },
  getConnection: {
    ...ofTenant,
    method: 'GET',
    path: '/connections/{connectionId}',
    function: 'connections',
    operationId: 'getConnection',
    scope: 'connections:read',
    tag: 'Connections',
    summary: 'Gives one connection.',
    params: connectionParams,
    response: { status: 200, description: 'The connection.', body: connectionSchema },
    problems: ['connection_not_found'],
  },
  updateConnection: {
    ...ofTenant,
    method: 'PATCH',
    path: '/connections/{connectionId}',
    function: 'connections',
    operationId: 'updateConnection',
    scope: 'connections:write',
    tag: 'Connections',
    summary: 'Changes the label or the pace of a connection.',
    params: connectionParams,
    headers: z.object({ 'if-match': ifMatchSchema.optional() }),
    body: updateConnectionSchema,
    response: { status: 200, description: 'The connection as it is now.', body: connectionSchema },
    problems: ['connection_not_found', 'connection_deleting', 'precondition_failed'],
  },
  getConnectionQr: {
    ...ofTenant,
    method: 'GET',
    path: '/connections/{connectionId}/qr',
    function: 'connections',
    operationId: 'getConnectionQr',
    scope: 'connections:read',
    tag: 'Connections',
    summary: 'Gives the current QR code as JSON, PNG or SVG, as `Accept` says.',
    params: connectionParams,
    response: {
      status: 200,
      description: 'The QR code to scan now.',
      body: qrSchema,
      otherMediaTypes: ['image/png', 'image/svg+xml'],
    },
    problems: ['connection_not_found', 'qr_not_ready', 'qr_not_available', 'not_acceptable'],
  },
  pairConnection: {
    ...connectionCommand,
    path: '/connections/{connectionId}/pair',
    operationId: 'pairConnection',
    summary: 'Starts pairing again, after a logout or when the QR codes ran out. Gives the connection a new identity.',
    body: pairConnectionSchema,
    problems: ['connection_not_found', 'connection_deleting', 'already_linked', 'logout_pending'],
  },
  restartConnection: {
    ...connectionCommand,
    path: '/connections/{connectionId}/restart',
    operationId: 'restartConnection',
    summary: 'Closes the connection and opens it again with the same identity.',
    problems: ['connection_not_found', 'connection_deleting', 'logout_pending'],
  },
  logoutConnection: {
    ...connectionCommand,
    path: '/connections/{connectionId}/logout',
    operationId: 'logoutConnection',
    summary: 'Unlinks the device from WhatsApp. The connection stays and can be paired again.',
  },
  deleteConnection: {
    ...ofTenant,
    method: 'DELETE',
    path: '/connections/{connectionId}',
    function: 'connections',
    operationId: 'deleteConnection',
    scope: 'connections:write',
    tag: 'Connections',
    summary: 'Unlinks the device and removes everything of the connection.',
    params: connectionParams,
    response: {
      status: 202,
      description: 'Accepted; `disconnected` / `deleting` until it is gone.',
      body: connectionSchema,
    },
    problems: ['connection_not_found'],
  },
  sendMessage: {
    ...ofTenant,
    method: 'POST',
    path: '/connections/{connectionId}/messages',
    function: 'messages',
    operationId: 'sendMessage',
    unaudited: true,
    scope: 'messages:send',
    tag: 'Messages',
    summary: 'Accepts a message for sending.',
    params: connectionParams,
    headers: z.object({ 'idempotency-key': idempotencyKeySchema.optional() }),
    body: sendMessageSchema,
    response: {
      status: 202,
      description: 'Accepted. `failed` at once, with the error, when no device is linked.',
      body: acceptedMessageSchema,
    },
    problems: [
      'connection_not_found',
      'connection_deleting',
      'idempotency_conflict',
      'too_many_waiting',
      'send_quota_reached',
    ],
  },
  listMessages: {
    ...ofTenant,
    method: 'GET',
    path: '/connections/{connectionId}/messages',
    function: 'messages',
    operationId: 'listMessages',
    scope: 'messages:read',
    tag: 'Messages',
    summary: 'Lists the messages of a connection in both directions, newest first.',
    params: connectionParams,
    query: messageQuerySchema,
    response: {
      status: 200,
      description: 'One page of messages. With a filter it may hold fewer than `limit` and still have a `next`.',
      body: messagePageSchema,
    },
    problems: ['connection_not_found'],
  },
  getMessage: {
    ...ofTenant,
    method: 'GET',
    path: '/connections/{connectionId}/messages/{messageId}',
    function: 'messages',
    operationId: 'getMessage',
    scope: 'messages:read',
    tag: 'Messages',
    summary: 'Gives one message with its status.',
    params: messageParams,
    response: { status: 200, description: 'The message.', body: messageSchema },
    problems: ['connection_not_found', 'message_not_found'],
  },
  cancelMessage: {
    ...ofTenant,
    method: 'DELETE',
    path: '/connections/{connectionId}/messages/{messageId}',
    function: 'messages',
    operationId: 'cancelMessage',
    scope: 'messages:send',
    tag: 'Messages',
    summary: 'Cancels a message that waits and of which nothing may have left.',
    params: messageParams,
    response: { status: 200, description: 'The message, `failed` / `cancelled`.', body: messageSchema },
    problems: ['connection_not_found', 'message_not_found', 'not_cancellable'],
  },
  readMessage: {
    ...ofTenant,
    method: 'POST',
    path: '/connections/{connectionId}/messages/{messageId}/read',
    function: 'messages',
    operationId: 'readMessage',
    unaudited: true,
    scope: 'messages:send',
    tag: 'Messages',
    summary: 'Tells the sender of a received message that it was read.',
    description: 'For the moment only: it is not repeated where the connection ends meanwhile.',
    params: messageParams,
    bodyOptional: true,
    body: z.strictObject({}),
    response: { status: 202, description: 'Accepted.' },
    problems: ['connection_not_found', 'message_not_found', 'not_connected'],
  },
  setChatPresence: {
    ...ofTenant,
    method: 'POST',
    path: '/connections/{connectionId}/presence',
    function: 'messages',
    operationId: 'setChatPresence',
    unaudited: true,
    scope: 'messages:send',
    tag: 'Messages',
    summary: 'Shows in a chat that somebody is typing or recording, or has paused.',
    description: 'For the moment only: it is not repeated where the connection ends meanwhile.',
    params: connectionParams,
    body: chatPresenceSchema,
    response: { status: 202, description: 'Accepted.' },
    problems: ['connection_not_found', 'not_connected'],
  },
  createMedia: {
    ...ofTenant,
    method: 'POST',
    path: '/media',
    function: 'media',
    operationId: 'createMedia',
    tag: 'Media',
    scope: 'media',
    summary: 'Registers a medium and gives the address that its bytes are uploaded to.',
    description:
      'Upload the bytes by `PUT` to `upload.url` with `upload.headers`: type and size are part of the signature. Then send messages with its id. Media end by themselves.',
    params: noParams,
    body: createMediaSchema,
    response: { status: 201, description: 'The medium, and where its bytes go.', body: newMediaSchema },
    problems: [],
  },
  getMedia: {
    ...ofTenant,
    method: 'GET',
    path: '/media/{mediaId}',
    function: 'media',
    operationId: 'getMedia',
    tag: 'Media',
    scope: 'media',
    summary: 'Gives a medium, with an address to download it from once it is ready.',
    params: mediaParams,
    response: { status: 200, description: 'The medium.', body: mediaSchema },
    problems: ['media_not_found'],
  },
  deleteMedia: {
    ...ofTenant,
    method: 'DELETE',
    path: '/media/{mediaId}',
    function: 'media',
    operationId: 'deleteMedia',
    tag: 'Media',
    scope: 'media',
    summary: 'Deletes a medium before its time. What was sent of it stays at WhatsApp.',
    params: mediaParams,
    response: { status: 204, description: 'Deleted, or it was not there.' },
    problems: [],
  },
  getMessageMedia: {
    ...ofTenant,
    method: 'GET',
    path: '/connections/{connectionId}/messages/{messageId}/media',
    function: 'media',
    operationId: 'getMessageMedia',
    tag: 'Media',
    scope: 'media',
    summary: 'Gives the medium of a message; one that was received is downloaded from WhatsApp on demand.',
    description:
      'The first call for a received message asks for the operation `download_media`, and waits for it as `Prefer` says; further calls wait for the same one. A medium that WhatsApp has deleted is asked for from the phone. The operation ends as the live event `operation-completed` in any case.',
    params: messageParams,
    headers: z.object({ prefer: preferSchema.optional() }),
    response: {
      status: 200,
      description: 'The medium, with an address to download it from.',
      also: {
        status: 202,
        description: 'It is being fetched by the operation `operationId`: poll that (`Location`), then call again.',
      },
      body: mediaSchema,
    },
    problems: [
      'connection_not_found',
      'message_not_found',
      'no_media',
      'media_not_found',
      'connection_deleting',
      'not_connected',
      'media_gone',
      'media_too_large',
      'media_unreachable',
    ],
  },
  ...operationRoutes,
  createLiveTicket: {
    ...ofTenant,
    method: 'POST',
    path: '/live/tickets',
    function: 'live-tickets',
    operationId: 'createLiveTicket',
    unaudited: true,
    scope: 'live',
    tag: 'Live',
    summary: 'Gives a ticket that opens one WebSocket within a minute.',
    description:
      'Connect to `url` with `?ticket=`, and `&connectionId=` to hear of one connection only, or of some with commas between. A snapshot comes first, then changes as `{ id, event, at, connectionId, version, data }` or an array of them. Merge by item and `version`: a change may come before the snapshot. After a lost socket add `&since=` with the greatest `at` that was heard: messages that changed meanwhile come again, each as it is now, then `resumed`. Send `{ "action": "subscribe" | "unsubscribe", "connectionId"? }` to change what the socket hears of, `{ "action": "ping" }` to keep it open.',
    params: noParams,
    bodyOptional: true,
    body: z.strictObject({}),
    response: { status: 201, description: 'The ticket.', body: liveTicketSchema },
    problems: [],
  },
  createBusinessProfile: {
    ...ofAdmin,
    method: 'POST',
    path: '/admin/business-profiles',
    operationId: 'createBusinessProfile',
    summary: 'Creates a business profile.',
    params: noParams,
    body: createBusinessProfileSchema,
    response: { status: 201, description: 'The business profile.', body: businessProfileSchema },
    problems: [],
  },
  listBusinessProfiles: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/business-profiles',
    operationId: 'listBusinessProfiles',
    summary: 'Lists the business profiles.',
    params: noParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of business profiles.', body: businessProfilePageSchema },
    problems: [],
  },
  getBusinessProfile: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/business-profiles/{businessProfileId}',
    operationId: 'getBusinessProfile',
    summary: 'Gives one business profile.',
    params: profileParams,
    response: { status: 200, description: 'The business profile.', body: businessProfileSchema },
    problems: ['business_profile_not_found'],
  },
  updateBusinessProfile: {
    ...ofAdmin,
    method: 'PATCH',
    path: '/admin/business-profiles/{businessProfileId}',
    operationId: 'updateBusinessProfile',
    summary: 'Changes the name, quotas, limits or retention of a business profile.',
    params: profileParams,
    headers: z.object({ 'if-match': ifMatchSchema.optional() }),
    body: updateBusinessProfileSchema,
    response: { status: 200, description: 'The business profile as it is now.', body: businessProfileSchema },
    problems: ['business_profile_not_found', 'business_profile_erasing', 'precondition_failed'],
  },
  deleteBusinessProfile: {
    ...ofAdmin,
    method: 'DELETE',
    path: '/admin/business-profiles/{businessProfileId}',
    operationId: 'deleteBusinessProfile',
    summary: 'Erases a business profile and everything of it.',
    description:
      'Its keys end within a minute. Its connections are logged out and deleted first, then what they left. The erasure goes on until it is done; deleting twice starts it once.',
    params: profileParams,
    response: { status: 202, description: 'The erasure, whose progress can be asked for.', body: erasureSchema },
    problems: ['business_profile_not_found'],
  },
  getBusinessProfileErasure: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/business-profiles/{businessProfileId}/erasures/{erasureId}',
    operationId: 'getBusinessProfileErasure',
    summary: 'Gives one erasure with its progress, also after the business profile is gone.',
    params: z.strictObject({ businessProfileId: idSchema, erasureId: idSchema }),
    response: { status: 200, description: 'The erasure.', body: erasureSchema },
    problems: ['erasure_not_found'],
  },
  listBusinessProfileAudit: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/business-profiles/{businessProfileId}/audit',
    operationId: 'listBusinessProfileAudit',
    summary: 'Lists what was done to and by a business profile, newest first.',
    params: profileParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of entries.', body: auditPageSchema },
    problems: [],
  },
  listServiceAudit: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/audit',
    operationId: 'listServiceAudit',
    summary:
      'Lists what was done with the admin key and belongs to no business profile that still exists, newest first.',
    params: noParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of entries.', body: auditPageSchema },
    problems: [],
  },
  createApiKey: {
    ...ofAdmin,
    method: 'POST',
    path: '/admin/business-profiles/{businessProfileId}/api-keys',
    operationId: 'createApiKey',
    summary: 'Creates an API key of a business profile. The key is shown this once.',
    params: profileParams,
    bodyOptional: true,
    body: createApiKeySchema,
    response: { status: 201, description: 'The key.', body: newApiKeySchema },
    problems: ['business_profile_not_found'],
  },
  listApiKeys: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/business-profiles/{businessProfileId}/api-keys',
    operationId: 'listApiKeys',
    summary: 'Lists the API keys of a business profile, revoked ones too, without the keys themselves.',
    params: profileParams,
    response: { status: 200, description: 'The keys.', body: apiKeyListSchema },
    problems: ['business_profile_not_found'],
  },
  revokeApiKey: {
    ...ofAdmin,
    method: 'DELETE',
    path: '/admin/business-profiles/{businessProfileId}/api-keys/{keyId}',
    operationId: 'revokeApiKey',
    summary: 'Revokes an API key; it is refused within a minute.',
    params: keyParams,
    response: { status: 204, description: 'Revoked.' },
    problems: ['api_key_not_found'],
  },
  rotateApiKey: {
    ...ofAdmin,
    method: 'POST',
    path: '/admin/business-profiles/{businessProfileId}/api-keys/{keyId}/rotate',
    operationId: 'rotateApiKey',
    summary: 'Makes a key that takes the place of this one, which goes on working for a while.',
    params: keyParams,
    bodyOptional: true,
    body: rotateApiKeySchema,
    response: { status: 201, description: 'The new key.', body: newApiKeySchema },
    problems: ['api_key_not_found', 'api_key_not_active'],
  },
  getOwnBusinessProfile: {
    ...ofAccount,
    method: 'GET',
    path: '/business-profile',
    operationId: 'getOwnBusinessProfile',
    scope: 'profile',
    tag: 'Account',
    summary: 'Gives the business profile that the key belongs to, with its quotas, limits and retention.',
    params: noParams,
    response: { status: 200, description: 'The business profile.', body: businessProfileSchema },
    problems: ['business_profile_not_found'],
  },
  createOwnApiKey: {
    ...ofAccount,
    method: 'POST',
    path: '/api-keys',
    operationId: 'createOwnApiKey',
    scope: 'keys',
    tag: 'Account',
    summary: 'Creates an API key. It may do no more than the key that makes it, and is shown this once.',
    params: noParams,
    bodyOptional: true,
    body: createApiKeySchema,
    response: { status: 201, description: 'The key.', body: newApiKeySchema },
    problems: ['business_profile_not_found'],
  },
  listOwnApiKeys: {
    ...ofAccount,
    method: 'GET',
    path: '/api-keys',
    operationId: 'listOwnApiKeys',
    scope: 'keys',
    tag: 'Account',
    summary: 'Lists the API keys, revoked ones too, without the keys themselves.',
    params: noParams,
    response: { status: 200, description: 'The keys.', body: apiKeyListSchema },
    problems: [],
  },
  rotateOwnApiKey: {
    ...ofAccount,
    method: 'POST',
    path: '/api-keys/{keyId}/rotate',
    operationId: 'rotateOwnApiKey',
    scope: 'keys',
    tag: 'Account',
    summary: 'Makes a key that takes the place of this one, which goes on working for a while.',
    params: ownKeyParams,
    bodyOptional: true,
    body: rotateApiKeySchema,
    response: { status: 201, description: 'The new key.', body: newApiKeySchema },
    problems: ['api_key_not_found', 'api_key_not_active'],
  },
  revokeOwnApiKey: {
    ...ofAccount,
    method: 'DELETE',
    path: '/api-keys/{keyId}',
    operationId: 'revokeOwnApiKey',
    scope: 'keys',
    tag: 'Account',
    summary: 'Revokes an API key; it is refused within a minute.',
    params: ownKeyParams,
    response: { status: 204, description: 'Revoked.' },
    problems: ['api_key_not_found'],
  },
  listAudit: {
    ...ofAccount,
    method: 'GET',
    path: '/audit',
    operationId: 'listAudit',
    scope: 'audit',
    tag: 'Account',
    summary: 'Lists what was done and with which key, newest first.',
    params: noParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of entries.', body: auditPageSchema },
    problems: [],
  },
  startErasure: {
    ...ofAccount,
    method: 'POST',
    path: '/erasures',
    operationId: 'startErasure',
    scope: 'erasure',
    tag: 'Account',
    summary: 'Erases every message of a contact.',
    params: noParams,
    body: startErasureSchema,
    response: { status: 202, description: 'The erasure, whose progress can be asked for.', body: erasureSchema },
    problems: ['connection_not_found'],
  },
  listErasures: {
    ...ofAccount,
    method: 'GET',
    path: '/erasures',
    operationId: 'listErasures',
    scope: 'erasure',
    tag: 'Account',
    summary: 'Lists erasures, newest first.',
    params: noParams,
    query: pageQuerySchema,
    response: { status: 200, description: 'One page of erasures.', body: erasurePageSchema },
    problems: [],
  },
  getErasure: {
    ...ofAccount,
    method: 'GET',
    path: '/erasures/{erasureId}',
    operationId: 'getErasure',
    scope: 'erasure',
    tag: 'Account',
    summary: 'Gives one erasure with its progress.',
    params: z.strictObject({ erasureId: idSchema }),
    response: { status: 200, description: 'The erasure.', body: erasureSchema },
    problems: ['erasure_not_found'],
  },
  importConnection: {
    ...ofAdmin,
    function: 'imports',
    method: 'POST',
    path: '/admin/business-profiles/{businessProfileId}/connections/import',
    operationId: 'importConnection',
    summary: 'Takes over a linked device from a Baileys auth folder, so that nobody scans again.',
    description:
      'Stop the old gateway first and for good: two holders of one device end each other and break its keys. The body may be sent with `Content-Encoding: gzip`.',
    params: profileParams,
    body: importConnectionSchema,
    bodyBytesMax: importBytesMax,
    response: { status: 201, description: 'The connection, which is being opened.', body: connectionSchema },
    problems: [
      'business_profile_not_found',
      'business_profile_erasing',
      'connection_quota_reached',
      'device_already_linked',
    ],
  },
  getFleet: {
    ...ofAdmin,
    method: 'GET',
    path: '/admin/fleet',
    function: 'fleet',
    operationId: 'getFleet',
    summary: 'Gets the workers, and which of them owns which partition.',
    params: noParams,
    response: { status: 200, description: 'The fleet as it is now.', body: fleetSchema },
    problems: [],
  },
  listDeadLetterQueues: {
    ...ofDeadLetters,
    method: 'GET',
    path: '/admin/dead-letters',
    operationId: 'listDeadLetterQueues',
    summary: 'Lists the dead-letter queues with their counts.',
    params: noParams,
    response: { status: 200, description: 'The queues.', body: deadLetterQueueListSchema },
  },
  peekDeadLetters: {
    ...ofDeadLetters,
    method: 'GET',
    path: '/admin/dead-letters/{queue}/messages',
    operationId: 'peekDeadLetters',
    summary: 'Looks at dead letters and puts them back.',
    query: peekQuerySchema,
    response: { status: 200, description: 'Some of the messages.', body: deadLetterListSchema },
  },
  redriveDeadLetters: {
    ...ofDeadLetters,
    method: 'POST',
    path: '/admin/dead-letters/{queue}/redrive',
    operationId: 'redriveDeadLetters',
    summary: 'Puts dead letters back where they came from.',
    body: chosenDeadLettersSchema,
    response: { status: 200, description: 'What became of each.', body: deadLetterOutcomesSchema },
  },
  dropDeadLetters: {
    ...ofDeadLetters,
    method: 'POST',
    path: '/admin/dead-letters/{queue}/drop',
    operationId: 'dropDeadLetters',
    summary: 'Deletes dead letters.',
    body: chosenDeadLettersSchema,
    response: { status: 200, description: 'What became of each.', body: deadLetterOutcomesSchema },
  },
  ...webhookRoutes,
  health: {
    method: 'GET',
    path: '/health',
    function: 'health',
    auth: 'optional',
    operationId: 'health',
    tag: 'Service',
    summary:
      'Says whether this deployment can serve; with the admin key also how workers, partitions and dead letters are.',
    description:
      '`503` where its tables cannot be read: send calls elsewhere. Workers that are missing do not make it unhealthy, since sends are accepted and wait for them; the details tell.',
    params: noParams,
    query: z.object({}),
    response: {
      status: 200,
      description: 'It can serve.',
      body: healthSchema,
    },
    problems: [],
  },
  openApi: {
    method: 'GET',
    path: '/openapi.json',
    function: 'public',
    auth: 'none',
    operationId: 'openApi',
    tag: 'Service',
    summary: 'Gives this document.',
    params: noParams,
    query: z.object({}),
    response: {
      status: 200,
      description: 'OpenAPI 3.1 document.',
      body: z.record(z.string(), z.unknown()).meta({ id: 'OpenApiDocument' }),
    },
    problems: [],
  },
  apiPage: {
    method: 'GET',
    path: '/docs',
    function: 'public',
    auth: 'none',
    operationId: 'apiPage',
    tag: 'Service',
    summary: 'Gives this document as a page for people.',
    params: noParams,
    query: z.object({}),
    response: { status: 200, description: 'The page.', otherMediaTypes: ['text/html'] },
    problems: [],
  },
  apiPageFile: {
    method: 'GET',
    path: '/docs/{file}',
    function: 'public',
    auth: 'none',
    operationId: 'apiPageFile',
    tag: 'Service',
    summary: "Gives a file of the page's.",
    params: z.strictObject({ file: idSchema }),
    query: z.object({}),
    response: { status: 200, description: 'The file.', otherMediaTypes: ['text/javascript', 'text/css'] },
    problems: ['not_found', 'invalid_request'],
  },
} as const satisfies Record<string, RouteContract>

export type OperationId = keyof typeof routes
export const routeList: readonly RouteContract[] = Object.values(routes)

export interface HttpRouteWire {
  readonly method: HttpMethod
  readonly path: string
  readonly function: HttpFunction
  readonly auth: HttpAuth
}

/** What the HTTP API is wired from. Everything else (`$default`) goes to the function `public`, without authorizer. */
export const httpRoutes: readonly HttpRouteWire[] = routeList.map(({ method, path, function: name, auth }) => ({
  method,
  path,
  function: name,
  auth,
}))

/** Whether its calls stand in the audit log. */
export const isAudited = ({ method, unaudited }: Pick<RouteContract, 'method' | 'unaudited'>): boolean =>
  method !== 'GET' && !unaudited

/** Bytes of a request body. */
export const bodyBytesMax = 256 * 1024
