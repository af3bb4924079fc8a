import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Static files only, with hashed names, so that they may be kept for ever; no inline script, as the security headers demand. */
export default defineConfig(({ command }) => {
  // Also where a test runner that set it to something else asks for the build: what is served is what is tested.
  if (command === 'build') env.NODE_ENV = 'production'
  return {
    root: fileURLToPath(new URL('.', import.meta.url)),
    plugins: [react()],
    build: {
      outDir: 'dist',
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      sourcemap: false,
    },
  }
})
