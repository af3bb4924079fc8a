import { documentClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { liveHandler } from './stack.ts'

const config = configure('LIVE_TABLE')
const live = liveStore({ documents: documentClient(), table: config.LIVE_TABLE })

/** `$disconnect`: API Gateway tries to call it, and does not promise; publishing and the table's TTL remove what it missed. */
export const handler = liveHandler(
  async (event) => {
    await live.removeSocket(event.requestContext.connectionId)
    log.info('socket closed')
    return { statusCode: 200 }
  },
  (error) => {
    log.error('socket not removed', { error: error as Error })
    return { statusCode: 500 }
  },
)
