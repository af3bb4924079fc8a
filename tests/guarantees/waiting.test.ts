import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ok } from '../faults/asking.ts'
import { Fleet, type Line } from '../faults/fleet.ts'

const sendTimeoutMs = 6_000

describe('sends that wait, on the whole product', () => {
  let fleet: Fleet
  let line: Line
  let other: Line

  beforeAll(async () => {
    fleet = await Fleet.start({ BACKOFF_BASE_MS: '300', SEND_TIMEOUT_MS: String(sendTimeoutMs) })
    ;[line, other] = (await fleet.pair(2)) as [Line, Line]
  }, 240_000)
  afterAll(() => fleet?.stop())

  const messages = () => `/connections/${line.connectionId}/messages`
  const texts = async (phone: string) => (await fleet.phones.inbox(phone, 0)).map(({ text }) => text)
  const send = async (to: string, body: string, more: object = {}): Promise<string> =>
    ok(await fleet.tenant.post(messages(), { to, type: 'text', text: { body }, ...more })).messageId
  const pace = async (change: object | null) => {
    const answer = await fleet.tenant.raw(
      'PATCH',
      `/connections/${line.connectionId}`,
      JSON.stringify({ pace: change }),
      { 'content-type': 'application/json' },
    )
    return ok(answer)
  }

  it('a scheduled send goes at its time and no sooner; a cancelled one never goes', async () => {
    const [customer, other] = [await fleet.newPhone(), await fleet.newPhone()]
    const sendAt = new Date(Date.now() + 6_000).toISOString()
    const scheduled = await send(customer, 'later', { sendAt })
    const cancelled = await send(other, 'never', { sendAt })
    expect(ok(await fleet.tenant.delete(`${messages()}/${cancelled}`))).toMatchObject({
      status: 'failed',
      error: { code: 'cancelled' },
    })
    const before = await send(customer, 'now')
    await fleet.sendStatus(before, 'read')
    const { data } = await fleet.sendStatus(scheduled, 'sent')
    expect(Date.parse(data.sentAt)).toBeGreaterThanOrEqual(Date.parse(sendAt))
    await fleet.sendStatus(scheduled, 'read')
    expect(await texts(customer)).toEqual(['now', 'later'])
    expect(await texts(other)).toEqual([])
    expect(await fleet.tenant.delete(`${messages()}/${scheduled}`)).toMatchObject({
      status: 409,
      body: { code: 'not_cancellable' },
    })
  })

  it('a new chat beyond the limit of the day waits, is listed and cancelled; known chats go on', async () => {
    const [known, first, second] = [await fleet.newPhone(), await fleet.newPhone(), await fleet.newPhone()]
    await fleet.conversationWorks(line, known)
    await pace({ newChatsPerDay: 1 })
    await fleet.sendStatus(await send(first, 'the first new chat'), 'read')
    const waits = await send(second, 'one too many')
    const noted = await fleet.observer.until(
      'a note on the send',
      ({ event, data }) => event === 'message-status' && data.messageId === waits && data.note !== undefined,
    )
    expect(noted.data).toMatchObject({ status: 'queued', note: expect.stringContaining('new chats') })
    await fleet.sendStatus(await send(known, 'still here'), 'read')
    const query = `?status=queued&chat=${encodeURIComponent(second)}`
    expect(ok(await fleet.tenant.get(`${messages()}${query}`)).items).toMatchObject([{ messageId: waits }])
    expect(ok(await fleet.tenant.delete(`${messages()}/${waits}`))).toMatchObject({ error: { code: 'cancelled' } })
    expect(await pace(null)).not.toHaveProperty('pace')
    await fleet.sendStatus(await send(second, 'no limit'), 'read')
    expect(await texts(second)).toEqual(['no limit'])
  })

  it('a contact that does not answer holds up no other connection, and its own no longer than a send may take', async () => {
    const [slow, known, elsewhere] = [await fleet.newPhone(), await fleet.newPhone(), await fleet.newPhone()]
    await fleet.conversationWorks(line, known)
    await fleet.conversationWorks(other, elsewhere)
    const fault = await fleet.fault({ kind: 'ignore-queries', about: slow.slice(1) }, line)
    const took = async (sent: Promise<string>) => {
      const startedAt = performance.now()
      await fleet.sendStatus(await sent, 'read')
      return performance.now() - startedAt
    }
    const hangs = await send(slow, 'nobody says which devices it has')
    const [ours, theirs] = await Promise.all([
      took(send(known, 'still here')),
      took(fleet.send(other, elsewhere, 'as if nothing were')),
    ])
    expect(theirs).toBeLessThan(sendTimeoutMs)
    expect(ours).toBeLessThan(sendTimeoutMs + 5_000)
    expect(ok(await fleet.tenant.get(`${messages()}/${hangs}`))).toMatchObject({ status: 'queued' })
    await fault.end()
    await fleet.sendStatus(hangs, 'read', 60_000)
    expect(await texts(slow)).toEqual(['nobody says which devices it has'])
  })

  it('a gap and typing delay sends and lose none', async () => {
    await pace({ minGapMs: 700, jitter: 0.2, typing: true })
    const customers = [await fleet.newPhone(), await fleet.newPhone(), await fleet.newPhone()]
    const ids = await Promise.all(customers.map((customer) => send(customer, 'hello')))
    const sent = await Promise.all(ids.map((id) => fleet.sendStatus(id, 'sent')))
    const times = sent.map(({ data }) => Date.parse(data.sentAt)).sort((a, b) => a - b)
    expect(Number(times.at(-1)) - Number(times[0])).toBeGreaterThan(700)
    for (const customer of customers) expect(await texts(customer)).toEqual(['hello'])
    await pace(null)
  })

  it('while WhatsApp restricts new chats, a new one fails at once with the reason and a known one goes on', async () => {
    const [known, refused, stranger] = [await fleet.newPhone(), await fleet.newPhone(), await fleet.newPhone()]
    await fleet.conversationWorks(line, known)
    const { end } = await fleet.fault({ kind: 'error-acks', errorCode: 463, count: 1 }, line)
    const failed = await fleet.sendStatus(await send(refused, 'hello'), 'failed')
    expect(failed.data.error).toMatchObject({ code: 'new_chats_restricted', whatsappCode: '463' })
    await end()
    const next = await fleet.sendStatus(await send(stranger, 'hello'), 'failed')
    expect(next.data.error).toMatchObject({ code: 'new_chats_restricted' })
    await fleet.sendStatus(await send(known, 'still here'), 'read')
    expect(await fleet.show(line.connectionId)).toMatchObject({ restriction: { kind: 'new_chats' } })
    expect(await texts(stranger)).toEqual([])
  })
})
