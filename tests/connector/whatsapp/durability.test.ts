import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import type { SendReceipt } from '../../../connector/ports.ts'
import { seeded } from '../auth/virtual-clock.ts'
import { Device, Told, World } from './device.ts'

const contact = '94772000001'
let world: World
let sends = 0

beforeAll(async () => {
  world = await World.start()
  await world.phone(contact)
})
afterEach(() => {
  world.fate = () => ({ kind: 'answered' })
})
afterAll(() => world.stop())

function nextId(): string {
  sends += 1
  return `3EB0${sends.toString(16).toUpperCase().padStart(18, '0')}`
}

/** Both ways, by what the phone and we could decrypt. */
async function talks(device: Device, what: string): Promise<void> {
  expect((await device.send(nextId(), contact, `${what} out`)).kind).toBe('handed_over')
  await world.inbox(contact, `${what} out`)
  await world.says(contact, device.phoneNumber, `${what} in`)
  await device.told.text(`${what} in`)
}

it('killed right after any step, it comes back from the store and decrypts both ways', async () => {
  const device = await Device.linked(world, '94771000011')
  await talks(device, 'first')
  for (let kill = 0; kill < 12; kill += 1) {
    // A send, a receipt and an inbound message are under way; where the crash falls among them differs each time.
    void device.send(nextId(), contact, `during ${kill}`)
    void world.says(contact, device.phoneNumber, `meanwhile ${kill}`)
    for (let turn = 0; turn < kill * 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    device.crash()
    const before = device.told
    await device.restore()
    await device.open()
    // Stored by whichever of the two workers.
    await device.told.until(`meanwhile ${kill}`, () =>
      [...before.inbound, ...device.told.inbound].some(
        ({ content }) => content.type === 'text' && content.text.body === `meanwhile ${kill}`,
      ),
    )
    await talks(device, `after kill ${kill}`)
  }
  expect((await world.stats()).undecryptable).toBe(0)
  await device.socket.close()
})

it('messages made while an append is under way share the next one, and count as handed over when they have left', async () => {
  const device = await Device.linked(world, '94771000021')
  await talks(device, 'before')
  const appendMs = 300
  const before = world.tables.landed.length
  world.fate = (call) => ({ kind: 'answered', ...(call === 'append' && { afterMs: appendMs }) })
  const started = performance.now()
  const handedAfterMs = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      expect((await device.send(nextId(), contact, `shared ${n}`)).kind).toBe('handed_over')
      return performance.now() - started
    }),
  )
  // What waits for acks counts from here: not from when Baileys was told that it may make the next one.
  expect(Math.min(...handedAfterMs)).toBeGreaterThanOrEqual(appendMs - 1)
  const appends = world.tables.landed.slice(before).filter(({ call }) => call === 'append')
  expect(appends.length).toBeLessThanOrEqual(4)
  await device.socket.close()
})

it('killed at random moments over a slow and forgetful store: every message there once, none undecryptable', async () => {
  const random = seeded(42)
  const device = await Device.linked(world, '94771000020')
  await talks(device, 'before chaos')
  const outgoing = new Map<string, string>()
  const incoming: string[] = []
  const acked = new Set<string>()
  const heard: Told[] = [device.told]
  for (let round = 0; round < 25; round += 1) {
    world.fate = () => {
      const luck = random.next()
      if (luck < 0.75) return { kind: 'answered', afterMs: Math.floor(random.next() * 12) }
      if (luck < 0.85) return { kind: 'lost', givesUpAfterMs: 15 }
      return { kind: 'unanswered', arrivesAfterMs: Math.floor(random.next() * 60), givesUpAfterMs: 20 }
    }
    for (let n = 0; n < 2; n += 1) {
      const id = nextId()
      outgoing.set(id, `chaos out ${round}.${n}`)
      void device.send(id, contact, `chaos out ${round}.${n}`)
      incoming.push(`chaos in ${round}.${n}`)
      void world.says(contact, device.phoneNumber, `chaos in ${round}.${n}`)
    }
    await new Promise((resolve) => setTimeout(resolve, random.next() * 60))
    device.crash()
    for (;;) {
      const restored = await device.restore().then(
        () => true,
        () => false,
      )
      if (restored) break
    }
    await device.open()
    heard.push(device.told)
    for (const { acks } of heard) for (const { whatsappId } of acks) acked.add(whatsappId)
    // As the session does: what was not acknowledged goes again under its id.
    for (const [id, text] of outgoing) if (!acked.has(id)) await device.send(id, contact, text)
  }
  world.fate = () => ({ kind: 'answered' })
  for (const text of outgoing.values()) {
    const shown = (await world.inbox(contact, text)).filter((message) => message.text === text)
    expect(shown).toHaveLength(1)
  }
  const told = new Set<unknown>()
  await device.told.until('all inbound', () => {
    for (const { inbound } of heard) {
      for (const { content } of inbound) if (content.type === 'text') told.add(content.text.body)
    }
    return incoming.every((text) => told.has(text))
  })
  expect(await world.stats()).toMatchObject({ undecryptable: 0, decryptFailures: 0 })
  await talks(device, 'after chaos')
  await device.socket.close()
})

it('while the store is down no frame leaves; when it answers again, all do, once', async () => {
  const device = await Device.linked(world, '94771000012')
  await talks(device, 'before')
  const asked = storeDown()
  const held = device.send(nextId(), contact, 'held back')
  await asked
  // The probe's ping comes after the send: it could not pass it, so it gets no answer either.
  expect(await device.socket.probe(400)).toBe(false)
  const { messages } = await world.control<{ messages: { text: string }[] }>('GET', `/phones/${contact}/inbox`)
  expect(messages.some(({ text }) => text === 'held back')).toBe(false)
  world.fate = () => ({ kind: 'answered' })
  expect(await held).toEqual({ kind: 'handed_over' })
  const received = await world.inbox(contact, 'held back')
  expect(received.filter(({ text }) => text === 'held back')).toMatchObject([{ arrivals: 1 }])
  await device.socket.close()
})

it('a crash with the ciphertext held back leaves nothing outside, and the next owner sends it once', async () => {
  const device = await Device.linked(world, '94771000013')
  await talks(device, 'before')
  const asked = storeDown()
  const id = nextId()
  const outcome = device.send(id, contact, 'again')
  await asked
  device.crash()
  expect((await outcome).kind).toBe('unknown')
  world.fate = () => ({ kind: 'answered' })
  await device.restore()
  await device.open()
  expect((await device.send(id, contact, 'again')).kind).toBe('handed_over')
  expect((await world.inbox(contact, 'again')).filter(({ text }) => text === 'again')).toMatchObject([{ arrivals: 1 }])
  expect((await world.stats()).decryptFailures).toBe(0)
  await device.socket.close()
})

it('an inbound message that was decrypted but not stored when the worker died is there for the next one', async () => {
  const device = await Device.linked(world, '94771000014')
  await talks(device, 'before')
  device.told.onStore = () => new Promise(() => undefined)
  const id = await world.says(contact, device.phoneNumber, 'do not lose me')
  await device.told.text('do not lose me')
  await device.state.durable()
  device.crash()
  await device.restore()
  const told = new Told()
  device.connect(told)
  await told.text('do not lose me')
  // From the journal, before WhatsApp has said a word.
  expect(told.events.map(({ kind }) => kind)).not.toContain('open')
  expect(told.inbound).toHaveLength(1)
  await told.event('open')
  await receiptOf(id)
  await talks(device, 'after')
  expect((await world.stats()).decryptFailures).toBe(0)
  await device.socket.close()
})

it('our receipt waits until the message is stored, and WhatsApp delivers again what had none', async () => {
  const device = await Device.linked(world, '94771000015')
  await talks(device, 'before')
  let store: () => void = () => undefined
  device.told.onStore = (what) =>
    what === 'inbound'
      ? new Promise<void>((resolve) => {
          store = resolve
        })
      : Promise.resolve()
  const id = await world.says(contact, device.phoneNumber, 'held')
  await device.told.text('held')
  expect(await device.socket.probe(40_000)).toBe(true)
  expect(await delivered(id)).toBe(false)
  store()
  await receiptOf(id)
  await device.socket.close()
})

it('a redelivery is answered from what is kept: told once more at most, decrypted once', async () => {
  const device = await Device.linked(world, '94771000016')
  await talks(device, 'before')
  device.crash()
  await device.restore()
  const id = await world.says(contact, device.phoneNumber, 'twice')
  const told = new Told()
  // The first delivery is decrypted, kept and stored; then the socket dies before the receipt.
  told.onStore = async () => {
    device.socket.terminate('watchdog')
  }
  device.connect(told)
  await told.closed()
  await device.state.durable()
  device.crash()
  await device.restore()
  const again = new Told()
  await device.open(again)
  await receiptOf(id)
  expect(again.inbound.filter(({ whatsappId }) => whatsappId === id)).toHaveLength(1)
  await talks(device, 'after')
  await device.socket.close()
})

it('a receipt for our send is acknowledged only once it is stored', async () => {
  const device = await Device.linked(world, '94771000017')
  await talks(device, 'before')
  device.told.onStore = () => new Promise(() => undefined)
  const id = nextId()
  await device.send(id, contact, 'with receipt')
  await device.told.until('receipt', () => device.told.receipts.find(({ whatsappId }) => whatsappId === id))
  device.crash()
  await device.restore()
  const told = new Told()
  await device.open(told)
  const steps = (): SendReceipt['step'][] =>
    told.receipts.filter(({ whatsappId }) => whatsappId === id).map(({ step }) => step)
  await told.until('the receipts again', () => steps().includes('delivered') && steps().includes('read'))
  await device.socket.close()
})

it('forty reconnects with the same contact leave one session, below 2 KB', async () => {
  const device = await Device.linked(world, '94771000018')
  for (let round = 0; round < 40; round += 1) {
    await device.send(nextId(), contact, `round ${round}`)
    await world.inbox(contact, `round ${round}`)
    await device.socket.close()
    if (round % 10 === 9) await device.restore()
    await device.open()
  }
  await talks(device, 'at last')
  const sizes = sessionSizes(device)
  expect(sizes.length).toBeGreaterThan(0)
  expect(Math.max(...sizes)).toBeLessThan(2_048)
  await device.socket.close()
})

it('a message costs one append, in either direction', async () => {
  const device = await Device.linked(world, '94771000021')
  device.crash()
  // What nobody waits for goes along with the next message's append; a slow machine gives it no append of its own.
  await device.restore({ lingerMs: 3_600_000 })
  await device.open()
  await talks(device, 'before')
  await device.state.durable()
  let appends = 0
  world.fate = (call) => {
    if (call === 'append') appends += 1
    return { kind: 'answered' }
  }
  for (let n = 0; n < 10; n += 1) await talks(device, `counted ${n}`)
  expect(appends).toBeLessThanOrEqual(22)
  await device.socket.close()
})

it('past the lease the socket ends itself and the store sees nothing more', async () => {
  const device = await Device.linked(world, '94771000019')
  await talks(device, 'before')
  await device.state.durable()
  const landed = world.tables.landed.length
  device.holding.lose()
  await device.send(nextId(), contact, 'too late')
  expect(await device.told.closed()).toMatchObject({ intent: 'lease' })
  expect(world.tables.landed.length).toBe(landed)
})

/** From now on no append arrives; resolves when the first was tried. */
function storeDown(): Promise<void> {
  return new Promise((resolve) => {
    world.fate = (call) => {
      if (call !== 'append') return { kind: 'answered' }
      resolve()
      return { kind: 'lost', givesUpAfterMs: 20 }
    }
  })
}

async function delivered(id: string): Promise<boolean> {
  const { messages } = await world.control<{
    messages: { id: string; receipts: Record<string, { delivered?: string }> }[]
  }>('GET', `/phones/${contact}/sent`)
  const receipts = Object.entries(messages.find((message) => message.id === id)?.receipts ?? {})
  return receipts.some(([device, { delivered: at }]) => !device.endsWith(':0') && at !== undefined)
}

async function receiptOf(id: string): Promise<void> {
  while (!(await delivered(id))) await new Promise((resolve) => setTimeout(resolve, 10))
}

function sessionSizes(device: Device): number[] {
  const state = authStateOf(device)
  const lid = state.read('lid-mapping', contact)
  return [`${contact}.0`, `${lid}_1.0`].flatMap((id) => {
    const record = state.read('session', id)
    return record === undefined ? [] : [JSON.stringify(record).length]
  })
}

function authStateOf({ state }: Device): ConnectionAuthState {
  if (!(state instanceof ConnectionAuthState)) throw new Error('not ours')
  return state
}
