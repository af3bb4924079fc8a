import { operationWait } from '../../shared/api/operations.ts'

export interface WaitPreference {
  readonly waitMs: number
  /** For `Preference-Applied`; absent where the caller preferred nothing. */
  readonly applied?: string
}

/** What a `Prefer` header (RFC 7240) says of waiting. Preferences that are not known, or not well formed, are ignored. */
export function waitPreference(prefer: string | undefined): WaitPreference {
  const preferences = (prefer ?? '').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  const waits = preferences.flatMap((preference) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(preference)?.[1] ?? [])
  const [first] = waits
  // With `respond-async` a wait says how long the caller would rather have the answer itself.
  if (first !== undefined) {
    const seconds = Math.min(Number(first), operationWait.maxSeconds)
    return { waitMs: seconds * 1000, applied: `wait=${seconds}` }
  }
  if (preferences.includes('respond-async')) return { waitMs: 0, applied: 'respond-async' }
  return { waitMs: operationWait.defaultSeconds * 1000 }
}
