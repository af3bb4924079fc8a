/** Preloaded into both sides of the memory bench, with `--expose-gc`: SIGUSR2 collects garbage, so that what is read is held. */
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  process.stdout.write(`${JSON.stringify({ event: 'collected' })}\n`)
})
