import type { ConnectionEnd } from '../ports.ts'

/** What Baileys says of an ended connection, as far as it says anything: it is a Boom error with node attributes in `data`. */
export function readEnd(error: unknown): Pick<ConnectionEnd, 'statusCode' | 'conflict' | 'qrRanOut' | 'detail'> {
  if (!(error instanceof Error)) return { detail: 'the connection was closed' }
  const statusCode = numberAt(error, 'output', 'statusCode')
  const conflict = conflictOf('data' in error ? error.data : undefined)
  return {
    ...(statusCode !== undefined && { statusCode }),
    ...(conflict !== undefined && { conflict }),
    ...(error.message.startsWith('QR refs attempts ended') && { qrRanOut: true }),
    detail: error.message,
  }
}

/** `<conflict type>`, also where it stands without a code and Baileys makes a 440 of it. */
function conflictOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const { tag, attrs, content } = data as { tag?: unknown; attrs?: unknown; content?: unknown }
  if (tag === 'conflict' && typeof attrs === 'object' && attrs !== null) {
    const { type } = attrs as { type?: unknown }
    return typeof type === 'string' ? type : undefined
  }
  if (!Array.isArray(content)) return undefined
  for (const child of content) {
    const found = conflictOf(child)
    if (found !== undefined) return found
  }
  return undefined
}

function numberAt(value: unknown, ...path: string[]): number | undefined {
  let here: unknown = value
  for (const name of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = (here as Record<string, unknown>)[name]
  }
  return typeof here === 'number' ? here : undefined
}
