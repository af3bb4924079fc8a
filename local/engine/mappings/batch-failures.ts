/** Which records of a batch a function reports as failed: `{ batchItemFailures: [{ itemIdentifier }] }`. */

export type BatchReport =
  | { readonly kind: 'none failed' }
  | { readonly kind: 'some failed'; readonly identifiers: ReadonlySet<string> }
  /** The report can't be understood, so Lambda takes the whole batch for failed. */
  | { readonly kind: 'invalid'; readonly reason: string }

/** `known` are the identifiers of the batch; any other in the report makes it invalid. */
export function readBatchReport(payload: unknown, known: ReadonlySet<string>): BatchReport {
  if (payload === null || payload === undefined) return { kind: 'none failed' }
  if (typeof payload !== 'object') return { kind: 'invalid', reason: 'expected { batchItemFailures: [...] }' }
  const { batchItemFailures } = payload as Record<string, unknown>
  if (batchItemFailures === undefined || batchItemFailures === null) return { kind: 'none failed' }
  if (!Array.isArray(batchItemFailures)) return { kind: 'invalid', reason: 'batchItemFailures: expected a list' }
  const identifiers = new Set<string>()
  for (const failure of batchItemFailures as readonly unknown[]) {
    const identifier =
      typeof failure === 'object' && failure !== null ? (failure as Record<string, unknown>).itemIdentifier : undefined
    if (typeof identifier !== 'string' || !known.has(identifier)) {
      return { kind: 'invalid', reason: `itemIdentifier ${JSON.stringify(identifier)}: not one of the batch` }
    }
    identifiers.add(identifier)
  }
  return identifiers.size === 0 ? { kind: 'none failed' } : { kind: 'some failed', identifiers }
}
