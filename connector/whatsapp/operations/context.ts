import type { WASocket } from '@whiskeysockets/baileys'
import type { OperationError, OperationKind, OperationKinds, RequestOf } from '../../../shared/domain/operations.ts'
import type { MediaRow } from '../../../shared/domain/stores/media.ts'
import type { ConnectionAuthState } from '../../auth/auth-state.ts'
import type { GroupCache } from '../groups.ts'
import type { PresenceWatch } from '../presence-watch.ts'

/** What an operation has at hand. */
export interface OperationContext {
  readonly sock: WASocket
  readonly state: Pick<ConnectionAuthState, 'creds' | 'read'>
  readonly groups: GroupCache
  readonly presences: PresenceWatch
  /** The row says what became of it. Undefined: no such message was received, or it has no medium. */
  fetchMedium(messageId: string): Promise<MediaRow | undefined>
}

/** Resolves with the answer. Throws `Refused` for a final no; whatever else it throws is read by `answerOf`. */
export type OperationHandler<Kind extends OperationKind> = (
  context: OperationContext,
  request: RequestOf<Kind>,
) => Promise<OperationKinds[Kind]['result']>

export type OperationHandlers<Kind extends OperationKind> = { readonly [K in Kind]: OperationHandler<K> }

/** It can't be done as it was asked. */
export class Refused extends Error {
  readonly error: OperationError

  constructor(error: OperationError) {
    super(error.message)
    this.name = 'Refused'
    this.error = error
  }
}
