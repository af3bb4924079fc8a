import { liveTicketSeconds } from '../../shared/api/live.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { configure } from '../config.ts'
import { isoNow } from '../time.ts'
import { httpHandler } from './stack.ts'

const config = configure('LIVE_TABLE', 'LIVE_URL')
const live = liveStore({ documents: documentClient(), table: config.LIVE_TABLE })

export const handler = httpHandler({
  createLiveTicket: async ({ principal }) => {
    const expiresAt = isoNow(liveTicketSeconds * 1000)
    const ticket = await live.createTicket(principal.businessProfileId, expiresAt)
    return { body: { ticket, url: config.LIVE_URL, expiresAt } }
  },
})
