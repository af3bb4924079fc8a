/** Control of media: what a phone was sent, decrypted, and what becomes of uploads. */

import { Problem, type Route, route } from './control-http.ts'
import { decryptMedia, isMediaKind } from './media-crypto.ts'
import { mediumId } from './media-http.ts'
import { unknownMessage } from './message-routes.ts'
import { onPhone } from './phone-routes.ts'
import type { Simulator } from './simulator.ts'

export function mediaRoutes(simulator: Simulator): Route[] {
  const { media } = simulator
  const change = (method: string, path: string, act: (id: string) => Promise<boolean>): Route =>
    route(method, path, async ({ path: [id = ''] }) => {
      if (!(await act(id))) throw new Problem(404, 'medium_unknown', `there is no medium ${id}`)
      return { status: 204 }
    })
  return [
    route(
      'GET',
      '/phones/:number/inbox/:id/media',
      onPhone(simulator, async ({ phone }, { path: [, messageId = ''] }) => {
        const message = phone.inbox.findById(messageId)
        if (!message) throw unknownMessage(messageId)
        const { kind, directPath, mediaKey, mimetype = 'application/octet-stream' } = message
        if (!isMediaKind(kind) || !directPath || !mediaKey) {
          throw new Problem(409, 'no_media', `the message ${messageId} has no medium`)
        }
        const id = mediumId(directPath) ?? ''
        const { kind: found } = await media.find(id)
        if (found !== 'found')
          throw new Problem(found === 'expired' ? 410 : 404, 'medium_gone', `the medium is ${found}`)
        const source = decryptMedia(media.read(id), Buffer.from(mediaKey, 'base64'), kind)
        return { status: 200, stream: { contentType: mimetype, source } }
      }),
    ),
    route('GET', '/media', async () => ({ status: 200, body: { media: await media.list() } })),
    change('POST', '/media/:id/expire', (id) => media.expire(id)),
    change('DELETE', '/media/:id', (id) => media.remove(id)),
  ]
}
