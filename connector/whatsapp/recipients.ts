import { areJidsSameUser, jidDecode, jidNormalizedUser, type WASocket } from '@whiskeysockets/baileys'
import type { Creds } from '../auth/auth-state.ts'
import type { Clock, HandOver } from '../ports.ts'

/** Recipients in one question: what a client asks when a large group is opened is far more. */
const chatsMax = 30
/** Sends come together where many wait; a recipient alone loses no more than this. */
const gatherMs = 10
/** A question that has been out for this long holds back the next one no longer. */
const turnMs = 500
/** A gathered question is waited for so long; then each of its recipients is asked about by itself. */
const gatheredMs = 5_000
/** Of recipients who are asked about alone. */
const aloneMax = 1_000

/** What of Baileys asks WhatsApp about recipients. */
export type Asking = Pick<WASocket, 'getUSyncDevices' | 'assertSessions' | 'onWhatsApp'>

interface Round {
  readonly chats: Set<string>
  /** Those that the question left nothing open for. */
  readonly done: Promise<ReadonlySet<string>>
  readonly end: (ready: ReadonlySet<string>) => void
}

/**
 * Asks WhatsApp for the recipients' devices and keys where they are not known, before Baileys' account-wide transaction: a new
 * contact then holds up nobody else's send, and a lost answer can't make Baileys send to our own devices only. New recipients
 * whose sends wait together are asked about together, devices and keys once for all; what such a question left open, since it
 * failed, was late or named somebody of whom WhatsApp knows nothing, each recipient asks alone, from then on.
 */
export class Recipients {
  readonly #asking: Asking
  readonly #me: () => Creds['me']
  readonly #knows: (user: string) => boolean
  readonly #hasSession: (jid: string) => Promise<boolean>
  readonly #clock: Clock
  readonly #alone = new Set<string>()
  #next: Round | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: {
    readonly asking: Asking
    readonly me: () => Creds['me']
    /** Whether the devices of a user, as in its JID, are known. */
    readonly knows: (user: string) => boolean
    /** Whether a session with that device is open. */
    readonly hasSession: (jid: string) => Promise<boolean>
    readonly clock: Clock
  }) {
    this.#asking = options.asking
    this.#me = options.me
    this.#knows = options.knows
    this.#hasSession = options.hasSession
    this.#clock = options.clock
  }

  /** Undefined when a send to that chat may go on. */
  async prepare(chat: string): Promise<HandOver | undefined> {
    const me = this.#me()
    if (me === undefined) return { kind: 'not_sent', why: 'the device is not linked' }
    if (!this.#known(chat) && !this.#alone.has(chat)) {
      const ready = await this.#together(chat)
      if (ready.has(chat)) return undefined
      if (!this.#known(chat)) this.#askAlone(chat)
    }
    const problem = await this.#alreadyOrAlone(me, chat)
    if (problem === undefined) this.#alone.delete(chat)
    return problem
  }

  #known(chat: string): boolean {
    return this.#knows(userOf(chat))
  }

  #askAlone(chat: string): void {
    this.#alone.add(chat)
    if (this.#alone.size > aloneMax) this.#alone.delete(this.#alone.values().next().value as string)
  }

  /** Resolves when the question that names the chat was answered, failed or is late. */
  #together(chat: string): Promise<ReadonlySet<string>> {
    this.#next ??= this.#newRound()
    const round = this.#next
    round.chats.add(chat)
    if (round.chats.size >= chatsMax) this.#next = undefined
    return round.done
  }

  #newRound(): Round {
    const { promise, resolve } = Promise.withResolvers<ReadonlySet<string>>()
    const round: Round = { chats: new Set(), done: promise, end: resolve }
    const before = this.#last
    this.#last = promise
    this.#clock.after(gatherMs, () => {
      // One at a time as long as WhatsApp answers: what comes meanwhile goes along with the next.
      void this.#within(turnMs, before).then(() => this.#ask(round))
    })
    return round
  }

  async #ask(round: Round): Promise<void> {
    if (this.#next === round) this.#next = undefined
    const ready = new Set<string>()
    await this.#within(gatheredMs, this.#askFor([...round.chats], ready))
    round.end(ready)
  }

  async #askFor(chats: readonly string[], ready: Set<string>): Promise<void> {
    const me = this.#me()
    if (me === undefined) return
    const owns = new Set(chats.map((chat) => ownOf(me, chat)))
    const devices = await this.#asking.getUSyncDevices([...owns, ...chats], true, false)
    const others = othersOf(me, devices)
    await this.#asking.assertSessions(others)
    const complete = await this.#completeUsers(others)
    const ownUsers = [...owns].map(userOf)
    if (!ownUsers.every((user) => complete(user) !== false)) return
    for (const chat of chats) if (!owns.has(chat) && complete(userOf(chat)) === true) ready.add(chat)
  }

  /** Whether a user's devices all have a session; undefined where none of them is named. */
  async #completeUsers(jids: readonly string[]): Promise<(user: string) => boolean | undefined> {
    const complete = new Map<string, boolean>()
    for (const jid of jids) {
      const user = userOf(jid)
      complete.set(user, (complete.get(user) ?? true) && (await this.#hasSession(jid)))
    }
    return (user) => complete.get(user)
  }

  /** Asks what is not known by now. */
  async #alreadyOrAlone(me: NonNullable<Creds['me']>, chat: string): Promise<HandOver | undefined> {
    const devices = await this.#asking.getUSyncDevices([ownOf(me, chat), chat], true, false)
    const ownUsers = new Set([jidDecode(me.id)?.user, jidDecode(me.lid)?.user])
    const toSelf = areJidsSameUser(chat, me.id) || areJidsSameUser(chat, me.lid)
    if (!toSelf && !devices.some(({ user }) => !ownUsers.has(user))) return unreachable(this.#asking, chat)
    await this.#asking.assertSessions(othersOf(me, devices))
    return undefined
  }

  /** Resolves when the work ended in whichever way, or after that time. */
  #within(limitMs: number, work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(limitMs, resolve)
      const ended = (): void => {
        timer.cancel()
        resolve()
      }
      work.then(ended, ended)
    })
  }
}

const userOf = (jid: string): string => jidDecode(jid)?.user ?? ''

/** Our own account in the way in which the chat is addressed. */
function ownOf(me: NonNullable<Creds['me']>, chat: string): string {
  return jidNormalizedUser(chat.endsWith('@lid') && me.lid !== undefined ? me.lid : me.id)
}

function othersOf(me: NonNullable<Creds['me']>, devices: readonly { readonly jid: string }[]): string[] {
  return devices.map(({ jid }) => jid).filter((jid) => jid !== me.id && jid !== me.lid)
}

async function unreachable(asking: Asking, chat: string): Promise<HandOver> {
  const notSent: HandOver = { kind: 'not_sent', why: 'WhatsApp named no devices of the recipient' }
  if (chat.endsWith('@lid')) return notSent
  const found = await asking.onWhatsApp(chat)
  if (found === undefined || found.some(({ exists }) => exists)) return notSent
  return { kind: 'refused', code: 'not_on_whatsapp', why: 'the number is not on WhatsApp' }
}
