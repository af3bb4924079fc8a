import { describe, expect, it } from 'vitest'
import { type Asking, Recipients } from '../../../connector/whatsapp/recipients.ts'
import { VirtualClock } from '../virtual-clock.ts'

const me = { id: '15550001:3@s.whatsapp.net', lid: '77001:3@lid' }
const own = '15550001@s.whatsapp.net'
const chat = (user: string | number): string => `${user}@s.whatsapp.net`

type Question = readonly [about: 'devices' | 'keys' | 'number', ...jids: string[]]

/** What Baileys asks WhatsApp, given what it remembers. Everybody has one device, and nobody answers before `answerMs` have passed. */
function bench({ answerMs = 0 } = {}) {
  const clock = new VirtualClock()
  const questions: Question[] = []
  const devices = new Set<string>()
  const sessions = new Set<string>()
  const silent = new Set<string>()
  /** A question that names one of these fails as a whole. */
  const broken = new Set<string>()
  const strangers = new Set<string>()
  /** Keys of these were not in the answer. */
  const lost = new Set<string>()
  const calls: string[][] = []
  const asked = async (about: Question[0], jids: readonly string[]): Promise<void> => {
    questions.push([about, ...jids])
    if (jids.some((jid) => silent.has(jid))) await new Promise(() => undefined)
    if (answerMs > 0) await new Promise<void>((resolve) => clock.after(answerMs, resolve))
    if (about === 'keys' && jids.some((jid) => broken.has(jid))) throw new Error('item-not-found')
  }
  const userOf = (jid: string): string => jid.split('@')[0] as string
  const asking = {
    async getUSyncDevices(jids: string[]) {
      const unknown = jids.filter((jid) => !devices.has(userOf(jid)))
      if (unknown.length > 0) await asked('devices', unknown)
      for (const jid of unknown) if (!strangers.has(jid)) devices.add(userOf(jid))
      return jids.filter((jid) => devices.has(userOf(jid))).map((jid) => ({ user: userOf(jid), jid }))
    },
    async assertSessions(jids: string[]) {
      calls.push(jids)
      const unknown = jids.filter((jid) => !sessions.has(jid))
      if (unknown.length > 0) await asked('keys', unknown)
      for (const jid of unknown) sessions.add(jid)
      return unknown.length > 0
    },
    async onWhatsApp(...jids: string[]) {
      await asked('number', jids)
      return jids.map((jid) => ({ jid, exists: !strangers.has(jid) }))
    },
  } as unknown as Asking
  const recipients = new Recipients({
    asking,
    me: () => me,
    knows: (user) => devices.has(user),
    hasSession: async (jid) => sessions.has(jid) && !lost.has(jid),
    clock,
  })
  return { clock, questions, devices, sessions, silent, broken, strangers, lost, calls, recipients }
}

describe('recipients', () => {
  it('new ones whose sends wait together are asked about together: devices once, keys once', async () => {
    const { clock, questions, recipients } = bench()
    const chats = [1, 2, 3].map(chat)
    const outcomes = Promise.all(chats.map((each) => recipients.prepare(each)))
    await clock.passTime(10)
    expect(await outcomes).toEqual([undefined, undefined, undefined])
    expect(questions).toEqual([
      ['devices', own, ...chats],
      ['keys', own, ...chats],
    ])
    expect(clock.timers).toBe(0)
  })

  it('new ones for whom an answer left something open are looked at once more, each by itself, the others are not', async () => {
    const { clock, calls, lost, recipients } = bench()
    lost.add(chat(2))
    const outcomes = Promise.all([1, 2].map((user) => recipients.prepare(chat(user))))
    await clock.passTime(10)
    expect(await outcomes).toEqual([undefined, undefined])
    expect(calls).toEqual([
      [own, chat(1), chat(2)],
      [own, chat(2)],
    ])
  })

  it('where a session with an own device is missing, nobody is ready', async () => {
    const { clock, calls, lost, recipients } = bench()
    lost.add(own)
    void recipients.prepare(chat(1))
    await clock.passTime(10)
    expect(calls).toEqual([
      [own, chat(1)],
      [own, chat(1)],
    ])
  })

  it('a known one waits for nothing and asks nothing', async () => {
    const { questions, devices, sessions, recipients } = bench()
    for (const user of ['15550001', '1']) devices.add(user)
    for (const jid of [own, chat(1)]) sessions.add(jid)
    expect(await recipients.prepare(chat(1))).toBeUndefined()
    expect(questions).toEqual([])
  })

  it('what comes while WhatsApp is asked goes along with the next question, thirty at most', async () => {
    const { clock, questions, recipients } = bench({ answerMs: 100 })
    void recipients.prepare(chat(0))
    await clock.passTime(50)
    const later = Array.from({ length: 35 }, (_, n) => recipients.prepare(chat(n + 1)))
    await clock.passTime(100)
    expect(questions.map(([about, ...jids]) => [about, jids.length])).toEqual([
      ['devices', 2],
      ['keys', 2],
    ])
    await clock.passTime(2_000)
    expect(await Promise.all(later)).toEqual(later.map(() => undefined))
    expect(questions.map(([about, ...jids]) => [about, jids.length])).toEqual([
      ['devices', 2],
      ['keys', 2],
      ['devices', 30],
      ['keys', 30],
      ['devices', 5],
      ['keys', 5],
    ])
  })

  it('one whom WhatsApp never answers for holds up those beside it for five seconds, later ones for half of one, and then nobody', async () => {
    const { clock, silent, questions, recipients } = bench()
    silent.add(chat('mute'))
    const passed: string[] = []
    const prepare = (user: string): void => {
      void recipients.prepare(chat(user)).then(() => void passed.push(user))
    }
    prepare('mute')
    prepare('beside')
    await clock.passTime(20)
    prepare('behind')
    await clock.passTime(400)
    expect(passed).toEqual([])
    await clock.passTime(110)
    expect(passed).toEqual(['behind'])
    await clock.passTime(4_480)
    expect(passed).toEqual(['behind', 'beside'])
    prepare('mute')
    prepare('at last')
    await clock.passTime(10)
    expect(passed).toEqual(['behind', 'beside', 'at last'])
    expect(questions.filter(([, ...jids]) => jids.length > 1 && jids.includes(chat('mute')))).toHaveLength(1)
  })

  it('one whose keys WhatsApp lacks spoils the question for nobody else', async () => {
    const { clock, broken, recipients } = bench()
    broken.add(chat('bad'))
    const [good, bad] = [recipients.prepare(chat('good')), recipients.prepare(chat('bad'))]
    bad.catch(() => undefined)
    await clock.passTime(10)
    expect(await good).toBeUndefined()
    await expect(bad).rejects.toThrow('item-not-found')
  })

  it('one that is not on WhatsApp is refused, the others go', async () => {
    const { clock, strangers, recipients } = bench()
    strangers.add(chat('nobody'))
    const outcomes = Promise.all([recipients.prepare(chat('nobody')), recipients.prepare(chat('somebody'))])
    await clock.passTime(10)
    expect(await outcomes).toMatchObject([{ kind: 'refused', code: 'not_on_whatsapp' }, undefined])
  })
})
