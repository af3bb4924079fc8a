interface Range {
  readonly type: string
  readonly quality: number
}

/**
 * Which of `offered` an `Accept` header (RFC 9110, 12.5.1) prefers; the first of them where it says nothing or several are equal.
 * Undefined where it accepts none.
 */
export function preferredMediaType<T extends string>(accept: string | undefined, offered: readonly T[]): T | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0]
  const ranges = accept.split(',').map(parseRange)
  let best: { readonly type: T; readonly quality: number } | undefined
  for (const type of offered) {
    const quality = qualityOf(type, ranges)
    if (quality > (best?.quality ?? 0)) best = { type, quality }
  }
  return best?.type
}

function parseRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))
  const quality = q === undefined ? 1 : Number(q.slice(2))
  return { type, quality: Number.isFinite(quality) ? quality : 0 }
}

/** The most specific range that fits decides. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const anyOfKind = `${type.slice(0, type.indexOf('/'))}/*`
  for (const candidate of [type, anyOfKind, '*/*']) {
    const range = ranges.find((each) => each.type === candidate)
    if (range !== undefined) return range.quality
  }
  return 0
}
