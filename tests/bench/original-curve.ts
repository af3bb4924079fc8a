/**
 * Preloaded into the baseline: whoever asks for `curve25519-js` gets the npm package of that name, unmodified, and not the
 * drop-in that this repository puts in its place.
 */
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== 'curve25519-js') return nextResolve(specifier, context)
    return nextResolve('curve25519-js-original', { ...context, parentURL: import.meta.url })
  },
})
