import type { BinaryNode, WASocket } from '@whiskeysockets/baileys'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { Log, OpenRequest, SocketEvent } from '../ports.ts'
import { baileysCreds } from './key-store.ts'

/** Baileys shows each of WhatsApp's six references in turn: the first for a minute, the others for 20 seconds. */
const firstQrMs = 60_000
const laterQrMs = 20_000
const references = 6

/** Linking that needs a passkey of the phone's owner, which only WhatsApp's own clients can ask for. */
const passkeyNotifications = new Set(['passkey_prologue_request', 'crsc_continuation'])

export interface PairingDependencies {
  readonly state: ConnectionAuthState
  readonly pairing: NonNullable<OpenRequest['pairing']>
  /** How long each QR code is shown, where it is not as long as usual. */
  readonly qrTtlMs?: number
  readonly log: Log
  readonly emit: (event: SocketEvent) => void
  readonly failed: (why: string) => void
}

/** Creds of an earlier try that never came to be linked would log in as a device that does not exist. */
export function forgetUnfinishedPairing(state: ConnectionAuthState): void {
  if (state.registered) return
  const creds = baileysCreds(state.creds)
  delete creds.me
  creds.pairingCode = undefined
  creds.registered = false
}

/** Reports what a person needs for linking, and that it succeeded: once the new identity is durable. */
export function watchPairing(sock: WASocket, deps: PairingDependencies): void {
  const { state, pairing, emit } = deps
  const firstMs = deps.qrTtlMs ?? firstQrMs
  const laterMs = deps.qrTtlMs ?? laterQrMs
  const phoneNumber = pairing.method === 'code' ? pairing.phoneNumber?.replace(/\D/g, '') : undefined
  let shown = 0
  let asked = false
  let passkeyAsked = false

  sock.ev.on('connection.update', ({ qr }) => {
    // Further codes would lead no further, and take the place of the word why.
    if (qr === undefined || state.registered || passkeyAsked) return
    if (phoneNumber === undefined || phoneNumber === '') {
      emit({ kind: 'qr', text: qr, expiresInMs: shown === 0 ? firstMs : laterMs })
      shown += 1
      return
    }
    if (asked) return
    asked = true
    sock.requestPairingCode(phoneNumber).then(
      // The socket, and the code with it, ends when the references have run out.
      (code) => emit({ kind: 'pairing_code', code, expiresInMs: firstMs + (references - 1) * laterMs }),
      (error: unknown) => deps.failed(error instanceof Error ? error.message : String(error)),
    )
  })

  sock.ws.on('CB:notification', (node: BinaryNode) => {
    if (passkeyAsked || state.registered || !asksForPasskey(node)) return
    passkeyAsked = true
    emit({ kind: 'passkey_required' })
  })

  let paired = false
  sock.ev.on('creds.update', () => {
    // Baileys has put the update into the creds before anybody else hears of it; its reply to pair-success comes after this
    // and waits in the egress gate for the first snapshot.
    const before = state.registered
    state.saveCreds()
    if (before || !state.registered || paired) return
    paired = true
    state.durable().then(
      () => {
        const { me } = state.creds
        if (me === undefined) return
        emit({ kind: 'paired', jid: me.id, ...(me.lid !== undefined && { lid: me.lid }), phoneNumber: phoneOf(me.id) })
      },
      (error: unknown) => deps.failed(error instanceof Error ? error.message : String(error)),
    )
  })
}

/** A code's handoff to a passkey comes as its usual notification without the key that the code would have wrapped. */
function asksForPasskey(node: BinaryNode): boolean {
  const type = node.attrs.type ?? ''
  if (passkeyNotifications.has(type)) return true
  if (type !== 'link_code_companion_reg' || !Array.isArray(node.content)) return false
  const registration = node.content.find(({ tag }) => tag === 'link_code_companion_reg')
  if (!Array.isArray(registration?.content)) return false
  return !registration.content.some(({ tag }) => tag === 'link_code_pairing_wrapped_primary_ephemeral_pub')
}

function phoneOf(jid: string): string {
  return `+${jid.split(/[:@]/)[0]}`
}
