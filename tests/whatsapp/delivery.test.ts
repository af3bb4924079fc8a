import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Client, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'

/** The client's process reads nothing any more, although its socket stays open. Resolves when bytes arrive. */
function deaf(client: Client): Promise<void> {
  const { ws } = client.socket
  ws.removeAllListeners('message')
  return new Promise((resolve) => ws.once('message', () => resolve()))
}

/** `offline` stamps of messages and `<offline count>`, in the order in which they come. */
function backlogOf(client: Client): string[] {
  const seen: string[] = []
  client.socket.ws.on('CB:message', ({ attrs }: { attrs: Record<string, string> }) =>
    seen.push(attrs.offline ?? 'live'),
  )
  client.socket.ws.on('CB:ib,,offline', (node: { content: { attrs: { count: string } }[] }) =>
    seen.push(`end of ${node.content[0]?.attrs.count}`),
  )
  return seen
}

describe('what a device did not acknowledge', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
  })

  afterEach(() => simulation.close())

  test('comes again after the socket died, until it is acknowledged', async () => {
    const first = await simulation.linked(ALICE)
    const arrived = deaf(first)
    const id = await simulation.send(BOB, ALICE, 'are you there?')
    await arrived
    first.kill()

    const second = simulation.again(first)
    const backlog = backlogOf(second)
    second.socket.ws.removeAllListeners('CB:message')
    await second.caughtUp()
    second.kill()
    expect(backlog).toEqual(['end of 1'])

    const third = simulation.again(second)
    const message = await third.text('are you there?')
    expect(message.key.id).toBe(id)
    await third.caughtUp()
    await third.stop()

    const fourth = simulation.again(third)
    const nothing = backlogOf(fourth)
    await fourth.caughtUp()
    expect(nothing).toEqual(['end of 0'])
  })

  test('comes in order and numbered, in batches that the client pulls, and live messages only afterwards', async () => {
    const first = await simulation.linked(ALICE)
    await first.stop()
    const texts = Array.from({ length: 230 }, (_, index) => `message ${index + 1}`)
    for (const text of texts) await simulation.send(BOB, ALICE, text)

    const second = simulation.again(first)
    const backlog = backlogOf(second)
    const previews: string[] = []
    second.socket.ws.on('CB:ib,,offline_preview', (node: { content: { attrs: { count: string } }[] }) =>
      previews.push(node.content[0]?.attrs.count ?? ''),
    )
    await second.until('a message of the backlog', () => backlog.length > 0)
    await simulation.send(BOB, ALICE, 'live')
    await second.text('live')
    expect(previews).toEqual(['230', '130', '30'])
    expect(backlog).toEqual([...texts.map((_, index) => `${index + 1}`), 'end of 230', 'live'])
    // Baileys works off its backlog in a queue of its own, beside what is live.
    await second.text('message 230')
    expect(second.texts.filter((text) => text !== 'live')).toEqual(texts)
  })

  test('holds for receipts as well: what was delivered while the device was away is told at its return', async () => {
    const first = await simulation.linked(ALICE)
    await simulation.call('PATCH', `/phones/${BOB}`, { autoDeliver: false })
    const id = await first.sendText(BOB, 'hello')
    await first.acknowledged(id)
    await simulation.inbox(BOB, 1)
    await first.stop()
    await simulation.call('POST', `/phones/${BOB}/deliver`, { id })
    await simulation.call('POST', `/phones/${BOB}/read`, { id })
    const second = simulation.again(first)
    await second.until('both receipts', () => second.receipts.get(id)?.length === 2)
    expect(second.receipts.get(id)).toEqual(['delivered', 'read'])
  })
})

describe('messages that did not decrypt', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
  })

  afterEach(() => simulation.close())

  test('at the phone: it counts them, asks again, and shows the message once it can', async () => {
    const client = await simulation.linked(ALICE)
    await simulation.send(BOB, ALICE, 'so that both have a session')
    await client.text('so that both have a session')
    const first = await client.sendText(BOB, 'before')
    await client.until('its receipts', () => client.receipts.get(first)?.includes('read'))
    await simulation.call('DELETE', `/phones/${BOB}/sessions/${ALICE}`)

    const id = await client.sendText(BOB, 'after the phone lost its sessions')
    const { messages, undecryptable } = await simulation.inbox(BOB, 2)
    expect(messages[1]).toMatchObject({ id, text: 'after the phone lost its sessions' })
    expect(undecryptable).toMatchObject([{ id, failures: 1, resolved: true }])
    expect(await simulation.stats()).toMatchObject({ decryptFailures: 1, undecryptable: 0, resendsRequested: 1 })
  })

  test('at the device: it asks again, and the phone encrypts anew', async () => {
    const client = await simulation.linked(ALICE)
    await simulation.send(BOB, ALICE, 'one')
    await client.text('one')
    await client.sendText(BOB, 'so that the phone goes on with msg')
    await simulation.inbox(BOB, 1)
    for (const key of [...client.auth.keys.keys()]) if (key.startsWith('session ')) client.auth.keys.delete(key)
    const id = await simulation.send(BOB, ALICE, 'two')
    expect((await client.text('two')).key.id).toBe(id)
  })

  test('after the phone was set up anew: the devices that wrote with it are told, and messages go on', async () => {
    const client = await simulation.linked(ALICE)
    await client.sendText(BOB, 'to the old phone')
    await simulation.inbox(BOB, 1)
    const told = new Promise((resolve) => client.socket.ws.once('CB:notification,type:encrypt', resolve))
    await simulation.call('POST', `/phones/${BOB}/reinstall`)
    expect(await told).toMatchObject({ attrs: { from: `${BOB}@s.whatsapp.net` }, content: [{ tag: 'identity' }] })
    await client.sendText(BOB, 'to the new phone')
    expect((await simulation.inbox(BOB, 2)).messages[1]).toMatchObject({ text: 'to the new phone' })
  })
})

describe('numbers with several devices', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
  })

  afterEach(() => simulation.close())

  test('a message reaches the phone, its companions and the own other devices, never the one that sent it', async () => {
    const alice1 = await simulation.linked(ALICE)
    const alice2 = await simulation.linked(ALICE)
    const bob1 = await simulation.linked(BOB)
    const back: unknown[] = []
    alice1.socket.ws.on('CB:message', (node: unknown) => back.push(node))
    const id = await alice1.sendText(BOB, 'to everyone')
    const [atBob, atAlice] = await Promise.all([bob1.text('to everyone'), alice2.text('to everyone')])
    expect(atBob.key).toMatchObject({ id, fromMe: false, remoteJidAlt: `${ALICE}@s.whatsapp.net` })
    expect(atAlice.key).toMatchObject({ id, fromMe: true })
    expect((await simulation.inbox(BOB, 1)).messages).toMatchObject([{ id, text: 'to everyone' }])
    expect((await simulation.inbox(ALICE)).messages).toEqual([])
    expect(back).toEqual([])
    expect(await simulation.stats()).toMatchObject({ undecryptable: 0, messages: { [id]: 1 } })
  })

  test('a device that is linked later gets what follows: cached device lists are changed by a notice', async () => {
    const alice = await simulation.linked(ALICE)
    await alice.sendText(BOB, 'before')
    await simulation.inbox(BOB, 1)
    const noticed = new Promise<void>((resolve) =>
      alice.socket.ws.once('CB:notification,type:devices', () => resolve()),
    )
    const bob1 = await simulation.linked(BOB)
    await noticed
    await alice.sendText(BOB, 'after')
    await bob1.text('after')
  })

  test('what the phone sends shows on its own devices as sent by it', async () => {
    const alice = await simulation.linked(ALICE)
    const id = await simulation.send(ALICE, BOB, 'from my phone')
    const message = await alice.text('from my phone')
    expect(message.key).toMatchObject({ id, fromMe: true })
    expect((await simulation.inbox(BOB, 1)).messages).toMatchObject([{ id, device: 0, text: 'from my phone' }])
  })

  test('the phone learns when a device received and read its message', async () => {
    const alice = await simulation.linked(ALICE)
    const id = await simulation.send(BOB, ALICE, 'read me')
    const message = await alice.text('read me')
    await alice.socket.readMessages([message.key])
    const told = async () => {
      const { body } = await simulation.call<{ messages: { receipts: Record<string, { read?: string }> }[] }>(
        'GET',
        `/phones/${BOB}/sent`,
      )
      return body.messages[0]?.receipts
    }
    await alice.socket.query({ tag: 'iq', attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'w:p' } })
    const receipts = await told()
    expect(receipts?.[`${ALICE}:1`]?.read).toBeDefined()
    expect(id).toMatch(/^3A[0-9A-F]{18}$/)
  })
})

describe('prekeys', () => {
  test('each bundle takes a fresh one, and a device that runs low is asked for more', async () => {
    const simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
    try {
      const alice = await simulation.linked(ALICE)
      const bob = await simulation.linked(BOB)
      const ask = () =>
        bob.socket.query({
          tag: 'iq',
          attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'encrypt' },
          content: [
            {
              tag: 'key',
              attrs: {},
              content: Array.from({ length: 809 }, () => ({
                tag: 'user',
                attrs: { jid: `${ALICE}:1@s.whatsapp.net` },
              })),
            },
          ],
        })
      const uploaded = new Promise<void>((resolve) =>
        alice.socket.ws.once('CB:notification,type:encrypt', () => resolve()),
      )
      const answer = await ask()
      const list = (
        answer.content as { content: { content: { tag: string; content: { content: Buffer }[] }[] }[] }[]
      )[0]
      const ids = list?.content.map(({ content }) =>
        content.find(({ tag }) => tag === 'key')?.content[0]?.content.toString('hex'),
      )
      expect(new Set(ids).size).toBe(809)
      await uploaded
      await alice.until('new prekeys', () => alice.auth.state.creds.nextPreKeyId > 813)
    } finally {
      await simulation.close()
    }
  })
})
