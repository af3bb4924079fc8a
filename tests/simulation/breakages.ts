/**
 * Deliberate mistakes at the seams of the product, to see that the invariants have teeth. Without one, every seam is what the
 * product makes it.
 */
import type { ConnectionAuthState } from '../../connector/auth/auth-state.ts'
import type { LoginGateSettings } from '../../connector/session/login-gate.ts'
import type { GatedState } from '../../connector/whatsapp/egress-gate.ts'
import type { LeaseTerms } from '../../shared/domain/leases.ts'
import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { WorkerConnections } from '../../shared/domain/stores/connections.ts'
import type { OutboundRow, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { AuthTables } from './models/auth.ts'
import { keyOf } from './models/network.ts'
import type { ModelTables } from './models/stores.ts'

export const mistakes = {
  'gate-open': 'the egress gate does not wait for the journal',
  'lease-unheeded': 'a worker does not stop before its lease is over',
  'epoch-unchecked-auth': 'the journal takes entries of any epoch',
  'epoch-unchecked-rows': 'rows take writes of any epoch',
  'death-guessed': 'a worker that only stands still is marked dead',
  'stamp-late': 'a renewal is stamped when it is answered',
  'receipts-early': 'receipts are acknowledged before they are stored',
  'inbound-early': 'messages are acknowledged before they are stored',
  'journal-forgets': 'an append is answered and not kept',
  'gaps-unseen': 'what is missing in the order of acceptance is not found',
  'claim-unchecked': 'a send is taken out although it was cancelled',
  'schedule-unheeded': 'a scheduled send goes at once',
  'suspects-hurried': 'who crashed alone is opened again by a worker that has just started',
  'watchdog-late': 'the check for connections without a worker overwrites what was said since',
} as const
export type Mistake = keyof typeof mistakes

export class Breakages {
  readonly mistake: Mistake | undefined

  constructor(mistake?: Mistake) {
    this.mistake = mistake
  }

  gateState(state: ConnectionAuthState): GatedState {
    if (this.mistake !== 'gate-open') return state
    return { clean: true, durable: async () => undefined }
  }

  terms(terms: LeaseTerms): LeaseTerms {
    return this.mistake === 'lease-unheeded' ? { ...terms, marginMs: -60_000 } : terms
  }

  logins(settings: LoginGateSettings): LoginGateSettings {
    return this.mistake === 'suspects-hurried' ? { ...settings, provenAfterMs: 0 } : settings
  }

  get guessesDeaths(): boolean {
    return this.mistake === 'death-guessed'
  }

  get stampsLate(): boolean {
    return this.mistake === 'stamp-late'
  }

  receiptStored(stored: Promise<void>): Promise<void> {
    if (this.mistake !== 'receipts-early') return stored
    stored.catch(() => undefined)
    return Promise.resolve()
  }

  inboundStored(stored: Promise<unknown>): Promise<unknown> {
    if (this.mistake !== 'inbound-early') return stored
    stored.catch(() => undefined)
    return Promise.resolve()
  }

  authStore(store: AuthStore, tables: AuthTables): AuthStore {
    if (this.mistake === 'epoch-unchecked-auth') {
      return {
        ...store,
        append: (ref, entry) =>
          store.append(ref, { ...entry, epoch: tables.heads.get(keyOf(ref))?.epoch ?? entry.epoch }),
      }
    }
    if (this.mistake === 'journal-forgets') return { ...store, append: async () => ({ kind: 'appended' }) }
    return store
  }

  get watchesLate(): boolean {
    return this.mistake === 'watchdog-late'
  }

  messages(store: WorkerMessages): WorkerMessages {
    if (this.mistake === 'gaps-unseen') {
      return { ...store, getByWhatsappIds: async () => new Map(), listWaitingOf: async () => [] }
    }
    if (this.mistake === 'claim-unchecked') return { ...store, claim: async () => ({ kind: 'claimed', claims: 1 }) }
    if (this.mistake === 'schedule-unheeded') {
      return {
        ...store,
        getOutbound: async (ref, messageId) => unscheduled(await store.getOutbound(ref, messageId)),
        getOutbounds: async (ref, messageIds) =>
          new Map([...(await store.getOutbounds(ref, messageIds))].map(([id, row]) => [id, unscheduled(row)])),
        listWaiting: async (partition) => (await store.listWaiting(partition)).map(unscheduled),
      }
    }
    if (this.mistake !== 'epoch-unchecked-rows') return store
    return {
      ...store,
      step: async (ref, whatsappId, epoch, step) => {
        const row = await store.getByWhatsappId(ref, whatsappId)
        return store.step(ref, whatsappId, Math.max(epoch, row?.epoch ?? 0), step)
      },
    }
  }

  connections(store: WorkerConnections, tables: ModelTables): WorkerConnections {
    if (this.mistake !== 'epoch-unchecked-rows') return store
    return {
      ...store,
      update: (ref, epoch, change, now) =>
        store.update(ref, Math.max(epoch, tables.connections.get(keyOf(ref))?.epoch ?? 0), change, now),
    }
  }
}

function unscheduled<Row extends OutboundRow | undefined>(row: Row): Row {
  if (row?.sendAt === undefined) return row
  const { sendAt: _, ...rest } = row
  return rest as Row
}
