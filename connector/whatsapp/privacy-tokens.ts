import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  isJidBot,
  isJidMetaAI,
  PSA_WID,
  type WASocket,
} from '@whiskeysockets/baileys'
import {
  buildMergedTcTokenIndexWrite,
  resolveIssuanceJid,
  storeTcTokensFromIqResult,
} from '@whiskeysockets/baileys/lib/Utils/tc-token-utils.js'
import type { Clock, Log, Timer } from '../ports.ts'

/** Messages to new contacts come in bursts. */
const gatherMs = 2_000
/** Contacts in one request. */
const contactsMax = 30
const weekSeconds = 604_800

/** What Baileys keeps of a contact's token and of ours to it. */
export interface PrivacyToken {
  readonly token: Buffer
  readonly timestamp?: string
  /** Epoch seconds: when ours was last given. */
  readonly senderTimestamp?: number
}

/** The contact's record as a send sees it: Baileys finds nothing to do. */
export function asGiven(kept: PrivacyToken | undefined, nowMs: number): PrivacyToken {
  return { token: Buffer.alloc(0), ...kept, senderTimestamp: Math.floor(nowMs / 1_000) }
}

/** Whether a contact who is written to now is given a token: once in each week of the epoch, as Baileys has it from WhatsApp Web. */
export function isDue(kept: PrivacyToken | undefined, nowMs: number): boolean {
  const weekOf = (seconds: number): number => Math.floor(seconds / weekSeconds)
  return kept?.senderTimestamp === undefined || weekOf(nowMs / 1_000) > weekOf(kept.senderTimestamp)
}

export type TokenGiving = Pick<WASocket, 'issuePrivacyTokens' | 'serverProps' | 'signalRepository' | 'authState'>

/**
 * Gives a privacy token to those who are written to, as WhatsApp Web does. Baileys would do so after every message, each time
 * by a request of its own: what it notes of that is written into the transaction that the message was made in, which is
 * over by then, and is lost. Here contacts are gathered for a moment, named in one request, and noted. Who is not told before the
 * socket ends is told after the next message.
 */
export class PrivacyTokens {
  readonly #giving: TokenGiving
  readonly #clock: Clock
  readonly #log: Log
  readonly #due = new Set<string>()
  #timer: Timer | undefined
  #over = false

  constructor(options: { readonly giving: TokenGiving; readonly clock: Clock; readonly log: Log }) {
    this.#giving = options.giving
    this.#clock = options.clock
    this.#log = options.log
  }

  /** A message to that contact has left, and its token is due. @param jid under which its token is kept */
  due(jid: string): void {
    if (this.#over) return
    if (jid === PSA_WID || isJidBot(jid) || isJidMetaAI(jid)) return
    this.#due.add(jid)
    this.#timer ??= this.#clock.after(gatherMs, () => this.#give())
  }

  /** With the socket. */
  stop(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#due.clear()
  }

  #give(): void {
    const jids = [...this.#due].slice(0, contactsMax)
    this.#giveTo(jids)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.#log.debug({ contacts: jids.length, reason }, 'Privacy tokens could not be given')
      })
      .finally(() => {
        for (const jid of jids) this.#due.delete(jid)
        this.#timer = this.#due.size === 0 ? undefined : this.#clock.after(gatherMs, () => this.#give())
      })
  }

  async #giveTo(jids: readonly string[]): Promise<void> {
    const { issuePrivacyTokens, serverProps, signalRepository, authState } = this.#giving
    const { lidMapping } = signalRepository
    const getLIDForPN = lidMapping.getLIDForPN.bind(lidMapping)
    const getPNForLID = lidMapping.getPNForLID.bind(lidMapping)
    const names = await Promise.all(
      jids.map((jid) => resolveIssuanceJid(jid, serverProps.lidTrustedTokenIssueToLid, getLIDForPN, getPNForLID)),
    )
    const givenAt = Math.floor(this.#clock.now() / 1_000)
    const answer: BinaryNode = await issuePrivacyTokens(names, givenAt)
    const { keys } = authState
    for (const [i, fallbackJid] of jids.entries()) {
      const result = jids.length === 1 ? answer : tokensOf(answer, names[i] as string)
      await storeTcTokensFromIqResult({ result, fallbackJid, keys, getLIDForPN })
    }
    const kept = await keys.get('tctoken', [...jids])
    const given = jids.map((jid) => [jid, { token: Buffer.alloc(0), ...kept[jid], senderTimestamp: givenAt }])
    await keys.set({
      tctoken: { ...Object.fromEntries(given), ...(await buildMergedTcTokenIndexWrite(keys, [...jids])) },
    })
  }
}

/** Only what an answer about several contacts says of one of them. */
function tokensOf(answer: BinaryNode, jid: string): BinaryNode {
  const tokens = getBinaryNodeChildren(getBinaryNodeChild(answer, 'tokens'), 'token')
  const content = tokens.filter(({ attrs }) => attrs['jid'] === jid)
  return { ...answer, content: [{ tag: 'tokens', attrs: {}, content }] }
}
