import { Readable } from 'node:stream'
import { parseStream } from 'music-metadata'

/** Seconds of sound, from the headers where they say it, else by going through its frames. Undefined where it can't be told. */
export async function durationOf(
  source: AsyncIterable<Uint8Array>,
  { mimeType, bytes }: { readonly mimeType: string; readonly bytes: number },
): Promise<number | undefined> {
  const { format } = await parseStream(
    Readable.from(source, { objectMode: false }),
    { mimeType, size: bytes },
    { duration: true, skipCovers: true },
  )
  return format.duration !== undefined && format.duration > 0 ? Math.max(1, Math.round(format.duration)) : undefined
}
