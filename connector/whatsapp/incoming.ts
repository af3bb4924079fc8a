import type { BinaryNode, WASocket } from '@whiskeysockets/baileys'
import { isChannel } from '../../shared/domain/ignoring.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { Log, SocketListener } from '../ports.ts'
import type { GroupCache } from './groups.ts'
import type { Inbox } from './inbox.ts'
import { readAck, readReceipt } from './receipts.ts'
import type { RetryRenewals } from './renewals.ts'

export interface IncomingDependencies {
  readonly state: Pick<ConnectionAuthState, 'creds' | 'read'>
  readonly listener: Pick<SocketListener, 'onAck' | 'onReceipt'>
  readonly inbox: Inbox
  readonly groups: GroupCache
  readonly renewals: RetryRenewals
  readonly log: Log
  readonly over: () => boolean
  /** What came can't be read: the stream is of no use any more. */
  readonly unreadable: (error: unknown) => void
}

/**
 * Sees stanzas before Baileys does: all that comes passes through its client's `emit`. A receipt for our sends reaches Baileys,
 * which acknowledges it, only once it is stored; where that fails, WhatsApp delivers it again at the next login. The same holds
 * for what a channel published, which comes in the clear and so passes no cipher.
 *
 * Baileys' handlers are asynchronous and reject where the socket ends under them, with nobody to catch it: that is caught here.
 */
export function watchIncoming(client: WASocket['ws'], deps: IncomingDependencies): void {
  const { listener, inbox, log } = deps
  const emit = client.emit.bind(client)
  let receipts: Promise<void> = Promise.resolve()

  const failed = (event: string | symbol, error: unknown): void => {
    if (event === 'message' && !deps.over()) deps.unreadable(error)
    else log.debug({ event: kindOf(event), reason: messageOf(error) }, 'Baileys could not handle what came')
  }
  const pass = (event: string | symbol, items: unknown[]): boolean => {
    if (client.listenerCount(event) === 0) return event === 'error' ? emit(event, ...items) : false
    for (const handler of client.rawListeners(event)) {
      try {
        const result: unknown = Reflect.apply(handler, client, items)
        if (result instanceof Promise) result.catch((error: unknown) => failed(event, error))
      } catch (error) {
        failed(event, error)
      }
    }
    return true
  }

  client.emit = (event: string | symbol, ...items: unknown[]): boolean => {
    if (event === 'CB:message') {
      const message = items[0] as BinaryNode
      if (isChannel(message.attrs.from ?? '')) {
        void inbox.published(message).then(() => deps.over() || pass(event, items))
        return true
      }
      inbox.arrived(message)
    }
    if (event !== 'CB:receipt') return pass(event, items)
    const node = items[0] as BinaryNode
    deps.renewals.receipt(node)
    const told = readReceipt(node, deps.state, deps.groups).map(async (receipt) => listener.onReceipt(receipt))
    receipts = Promise.all([...told, receipts]).then(
      () => {
        if (!deps.over()) pass(event, items)
      },
      (error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'a receipt could not be stored; it is not acknowledged'),
    )
    return true
  }

  client.on('CB:ack,class:message', async (node: BinaryNode) => {
    const ack = readAck(node)
    if (ack !== undefined) await listener.onAck(ack)
  })
  client.on('CB:ack,class:receipt', (node: BinaryNode) => {
    if (node.attrs.id !== undefined) inbox.receiptAcknowledged(node.attrs.id)
  })
}

/** Without the ids and numbers that Baileys puts into event names. */
function kindOf(event: string | symbol): string {
  return String(event).split(/[:,]/).slice(0, 2).join(':')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
