import type { IsoTime, PhoneNumber } from './words.ts'

/**
 * Commands with answers. Each kind has what is asked and what comes of it; the API accepts it as a row, the worker that owns
 * the connection carries it out and writes the result there. A new kind is added to `OperationKinds`, gets a handler in
 * `connector/whatsapp/operations/`, and a route that accepts it.
 */

/** A person, by both of WhatsApp's addresses as far as they are known. */
export interface Person {
  readonly phoneNumber?: PhoneNumber
  /** `1234…@lid` */
  readonly lid?: string
}

export interface CheckedContact {
  /** As it was asked for. */
  readonly phoneNumber: PhoneNumber
  readonly onWhatsApp: boolean
  /** Where WhatsApp has the number under another spelling, that one. */
  readonly jid?: string
  readonly lid?: string
}

/** What a person shows to this account. */
export interface ContactProfile extends Person {
  readonly about?: string
  readonly aboutSetAt?: IsoTime
  /** WhatsApp's own address of it, good for some days. */
  readonly pictureUrl?: string
}

export const contactPresences = ['available', 'unavailable', 'typing', 'recording'] as const
export type ContactPresence = (typeof contactPresences)[number]

/** What WhatsApp told of a contact whose presence is followed. */
export interface SeenPresence {
  readonly contact: Person
  readonly presence: ContactPresence
  /** With `unavailable`, where the contact shows it. */
  readonly lastSeenAt?: IsoTime
}

export const groupRoles = ['member', 'admin', 'owner'] as const
export type GroupRole = (typeof groupRoles)[number]

export interface GroupParticipant extends Person {
  readonly role: GroupRole
}

export interface GroupSummary {
  /** `1203…@g.us` */
  readonly groupId: string
  readonly subject: string
  readonly description?: string
  readonly owner?: Person
  readonly createdAt?: IsoTime
  /** How many are in it. */
  readonly size: number
  /** This connection's own. */
  readonly role: GroupRole
  /** Only admins may write. */
  readonly announce: boolean
  /** Only admins may change subject, description and picture. */
  readonly locked: boolean
  /** Who follows an invite link waits for an admin. */
  readonly joinApproval: boolean
  readonly disappearAfterSeconds?: number
}

export interface Group extends GroupSummary {
  readonly participants: readonly GroupParticipant[]
}

export const participantOutcomes = ['done', 'already', 'refused'] as const

export interface ParticipantChange extends Person {
  /** `already`: it was so before. `refused`: WhatsApp said no to this one, e.g. because the person lets nobody add them. */
  readonly outcome: (typeof participantOutcomes)[number]
  readonly whatsappCode?: string
}

export interface GroupInvite {
  readonly code: string
  /** `https://chat.whatsapp.com/<code>` */
  readonly url: string
}

/** JIDs throughout: `group` of a group, `contact` and `participants` of persons, by number or LID. */
interface OfGroup {
  readonly group: string
}
interface OfContact {
  readonly contact: string
}
interface ParticipantsChange {
  readonly asked: OfGroup & { readonly participants: readonly string[] }
  readonly result: { readonly participants: readonly ParticipantChange[] }
}
// biome-ignore lint/complexity/noBannedTypes: beside its `kind` nothing is asked
type Nothing = {}

export interface OperationKinds {
  readonly check_contacts: {
    readonly asked: { readonly phoneNumbers: readonly PhoneNumber[] }
    /** In the order asked. */
    readonly result: { readonly contacts: readonly CheckedContact[] }
  }
  readonly get_contact: { readonly asked: OfContact; readonly result: ContactProfile }
  readonly list_blocked: { readonly asked: Nothing; readonly result: { readonly contacts: readonly Person[] } }
  readonly block_contact: { readonly asked: OfContact; readonly result: Person & { readonly blocked: boolean } }
  readonly unblock_contact: { readonly asked: OfContact; readonly result: Person & { readonly blocked: boolean } }
  readonly subscribe_presence: { readonly asked: OfContact; readonly result: Person }
  readonly list_groups: { readonly asked: Nothing; readonly result: { readonly groups: readonly GroupSummary[] } }
  readonly get_group: { readonly asked: OfGroup; readonly result: Group }
  readonly create_group: {
    readonly asked: {
      readonly subject: string
      readonly description?: string
      readonly participants: readonly string[]
    }
    readonly result: Group
  }
  readonly leave_group: { readonly asked: OfGroup; readonly result: { readonly groupId: string } }
  readonly update_group: {
    readonly asked: OfGroup & {
      readonly subject?: string
      /** `null` takes it away. */
      readonly description?: string | null
      readonly announce?: boolean
      readonly locked?: boolean
    }
    readonly result: Group
  }
  readonly set_group_picture: {
    /** JPEG in base64; absent: the picture is taken away. */
    readonly asked: OfGroup & { readonly jpeg?: string }
    readonly result: { readonly groupId: string; readonly pictureUrl?: string }
  }
  readonly add_participants: ParticipantsChange
  readonly remove_participants: ParticipantsChange
  readonly promote_participants: ParticipantsChange
  readonly demote_participants: ParticipantsChange
  readonly get_group_invite: { readonly asked: OfGroup; readonly result: GroupInvite }
  readonly revoke_group_invite: { readonly asked: OfGroup; readonly result: GroupInvite }
  readonly join_group: {
    readonly asked: { readonly code: string }
    /** `requested`: an admin has to let the account in. */
    readonly result: { readonly groupId: string; readonly outcome: 'joined' | 'already' | 'requested' }
  }
  readonly download_media: {
    /** Of a received message. */
    readonly asked: { readonly messageId: string }
    /** Where its bytes are now; an address to read them from is made for each who asks. */
    readonly result: { readonly mediaId: string; readonly contentType: string; readonly size: number }
  }
}

export type OperationKind = keyof OperationKinds
/** What is asked, with its `kind`. */
export type OperationRequest = {
  [Kind in OperationKind]: { readonly kind: Kind } & OperationKinds[Kind]['asked']
}[OperationKind]
export type RequestOf<Kind extends OperationKind> = Extract<OperationRequest, { readonly kind: Kind }>
export type OperationResult = OperationKinds[OperationKind]['result']

/**
 * How often the worker may carry it out where it is not known whether WhatsApp did.
 *   read    changes nothing: as often as needed, several side by side
 *   repeat  changes something, and doing it twice leaves what doing it once leaves
 *   once    twice would show; what was begun and not answered is `unconfirmed`
 *   fetch   changes nothing, and may take minutes: takes no place of others, and no handover waits for it
 */
export type OperationEffect = 'read' | 'repeat' | 'once' | 'fetch'

export const operationEffects: Readonly<Record<OperationKind, OperationEffect>> = {
  check_contacts: 'read',
  get_contact: 'read',
  list_blocked: 'read',
  block_contact: 'repeat',
  unblock_contact: 'repeat',
  subscribe_presence: 'repeat',
  list_groups: 'read',
  get_group: 'read',
  create_group: 'once',
  leave_group: 'repeat',
  update_group: 'repeat',
  set_group_picture: 'repeat',
  add_participants: 'repeat',
  remove_participants: 'repeat',
  promote_participants: 'repeat',
  demote_participants: 'repeat',
  get_group_invite: 'read',
  // The link of a first try was told to nobody: the last one holds.
  revoke_group_invite: 'repeat',
  join_group: 'repeat',
  download_media: 'fetch',
}
export const operationKinds = Object.keys(operationEffects) as [OperationKind, ...OperationKind[]]

/** Seconds from acceptance until an operation that did not end fails. */
export const operationSeconds: Readonly<Partial<Record<OperationKind, number>>> & { readonly default: number } = {
  default: 120,
  download_media: 1800,
}
/** How long an operation and its answer are kept, for who asks later, and for its idempotency key. */
export const operationKeptSeconds = 24 * 3600

export const operationStatuses = ['pending', 'succeeded', 'failed'] as const
export type OperationStatus = (typeof operationStatuses)[number]

export const operationErrorCodes = [
  'no_active_connection',
  'expired',
  'unconfirmed',
  'not_found',
  'forbidden',
  'not_on_whatsapp',
  'rejected_by_whatsapp',
  'too_many_operations',
  'result_too_large',
  'media_gone',
  'media_too_large',
  'media_unreachable',
  'connection_deleted',
  'internal',
] as const
export type OperationErrorCode = (typeof operationErrorCodes)[number]

export interface OperationError {
  readonly code: OperationErrorCode
  /** One sentence for a person. */
  readonly message: string
  /** WhatsApp's own error code where it gave one, e.g. `401`. */
  readonly whatsappCode?: string
}

export type OperationOutcome =
  | { readonly status: 'succeeded'; readonly result: OperationResult }
  | { readonly status: 'failed'; readonly error: OperationError }

export const operationFailures = {
  expired: { code: 'expired', message: 'It could not be done before its deadline.' },
  unconfirmed: {
    code: 'unconfirmed',
    message: 'It was begun, and whether WhatsApp carried it out is not known. It is not repeated.',
  },
  tooMany: { code: 'too_many_operations', message: 'Too many operations wait for this connection.' },
  tooLarge: { code: 'result_too_large', message: 'The answer is too large to be kept.' },
} as const satisfies Record<string, OperationError>
