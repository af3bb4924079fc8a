import type { LifecycleState } from './lifecycle-state.ts'
import { needsLinking } from './lifecycle-table.ts'
import { type SendErrorCode, sentences } from './words.ts'

/** What becomes of sends in a state of the connection. */
export type SendsMode =
  | { readonly kind: 'flow' }
  /** They wait; the sentence says what for. */
  | { readonly kind: 'hold'; readonly note: string }
  /** They fail at once. */
  | { readonly kind: 'refuse'; readonly code: SendErrorCode; readonly message: string }

const noActiveConnection: SendsMode = {
  kind: 'refuse',
  code: 'no_active_connection',
  message: sentences.noActiveConnection,
}

export function sendsMode(state: LifecycleState): SendsMode {
  if (state.leaving?.kind === 'delete') return connectionDeleted
  if (state.leaving?.kind === 'logout') return noActiveConnection
  switch (state.phase.kind) {
    case 'open':
      return { kind: 'flow' }
    case 'stopped':
      if (needsLinking.has(state.shown.reason)) return noActiveConnection
      return state.shown.reason === 'deleting' ? connectionDeleted : { kind: 'hold', note: state.shown.message }
    default:
      if (state.pairing !== undefined && state.identity === 'unlinked') return noActiveConnection
      return { kind: 'hold', note: sentences.beingRestored }
  }
}

const connectionDeleted: SendsMode = {
  kind: 'refuse',
  code: 'connection_deleted',
  message: 'The connection was deleted.',
}
