/**
 * A medium's chunks lie outside V8's heap: those of the ciphers, and those that Node reads sockets into. They make few objects, so
 * no collection comes by itself before some 30 to 50 MiB of them have piled up. Young ones are collected as the medium moves.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const everyBytes = 2 * 1024 * 1024

type Collect = (options: { readonly type: 'minor' }) => void
let collect: Collect | undefined

/** About a millisecond. V8's own function, which is there under a flag only. */
function collectYoung(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as Collect
  }
  collect({ type: 'minor' })
}

/** The same chunks. Each 2 MiB of them what became garbage since is collected. */
export async function* collecting<T extends Uint8Array>(source: AsyncIterable<T>): AsyncGenerator<T> {
  let moved = 0
  for await (const chunk of source) {
    moved += chunk.length
    yield chunk
    if (moved < everyBytes) continue
    moved = 0
    collectYoung()
  }
}
