import type { ConnectionRow } from '../shared/domain/stores/connections.ts'

/** A deletion was asked for. A worker may still write another reason until it comes to it; the command stays. */
export const isDeleting = ({ reason, command }: ConnectionRow): boolean =>
  reason === 'deleting' || command?.kind === 'delete'
