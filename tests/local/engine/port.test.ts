import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { assertFree } from '../../../local/engine/listener.ts'

it('a port that somebody listens on is refused in one sentence; once it is free, it is not', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await expect(assertFree(port)).rejects.toThrow(`Port ${port} is taken`)
  await new Promise((resolve) => server.close(resolve))
  await expect(assertFree(port)).resolves.toBeUndefined()
})
