/**
 * The memory of a medium's chunks lies outside V8's heap: a medium of 100 MiB makes hundreds of MiB of buffers but so few objects
 * that no collection comes before they have piled up to some 30 MiB. So whoever is done with a chunk gives it back at once.
 */

/** Below, a chunk may lie in a pool, and is not worth it. */
const ownMin = 16 * 1024

/** Detaches the chunk, which nobody may use any more. A view of something larger is left to the collector. */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < ownMin || byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return
  buffer.transfer(0)
}

/**
 * The same chunks, each valid until the next is asked for. One that nobody asked beyond is left alone: what broke off may
 * be writing it still.
 */
export async function* released<T extends Uint8Array>(source: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const chunk of source) {
    yield chunk
    release(chunk)
  }
}
