/**
 * Milliseconds per operation of curve25519-js 0.0.4 and of the drop-in, and how many times faster the drop-in is.
 * One process, one thread; the two take turns in short batches, so that a busy machine slows both alike, and the median
 * batch counts. Prints a table.
 */
import { performance } from 'node:perf_hooks'
import { type Curve25519, original, ours } from '../curve/implementations.ts'

const BATCHES = 21
const OPERATIONS_PER_BATCH = 8

const secretKey = new Uint8Array(32).map((_, index) => index * 7 + 1)
const { public: publicKey } = original.generateKeyPair(secretKey)
const peer = original.generateKeyPair(secretKey.map((byte) => byte ^ 0x55)).public
const message = new Uint8Array(200).map((_, index) => index)
const signature = original.sign(secretKey, message)

const operations: Record<string, (curve: Curve25519) => unknown> = {
  sign: (curve) => curve.sign(secretKey, message),
  verify: (curve) => curve.verify(publicKey, message, signature),
  sharedKey: (curve) => curve.sharedKey(secretKey, peer),
  generateKeyPair: (curve) => curve.generateKeyPair(secretKey),
}

function batchMs(run: () => unknown): number {
  const start = performance.now()
  for (let count = 0; count < OPERATIONS_PER_BATCH; count++) run()
  return (performance.now() - start) / OPERATIONS_PER_BATCH
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

const rows = Object.entries(operations).map(([operation, run]) => {
  const originalMs: number[] = []
  const oursMs: number[] = []
  // The first batches warm the compiler up and build the base-point tables; they are not counted.
  for (let batch = -3; batch < BATCHES; batch++) {
    const before = batchMs(() => run(original))
    const after = batchMs(() => run(ours))
    if (batch < 0) continue
    originalMs.push(before)
    oursMs.push(after)
  }
  const [before, after] = [median(originalMs), median(oursMs)]
  return {
    operation,
    'original ms': Number(before.toFixed(3)),
    'drop-in ms': Number(after.toFixed(3)),
    ratio: Number((before / after).toFixed(1)),
  }
})

console.table(rows)
