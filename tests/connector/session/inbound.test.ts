import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

describe('inbound messages', () => {
  const message = {
    whatsappId: 'ABC',
    chat: '94770000001@s.whatsapp.net',
    sender: '94770000001@s.whatsapp.net',
    senderPhoneNumber: '+94770000001',
    content: { type: 'text', text: { body: 'hi' } } as const,
    sentAt: Date.UTC(2026, 0, 31, 11),
  }

  test('have their row once, whoever delivers them again', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    await stage.whatsapp.socket(ref).receive(message)
    await stage.whatsapp.socket(ref).receive(message)
    expect(stage.tables.inbound(ref)).toHaveLength(1)
    expect(stage.tables.inbound(ref)[0]?.messageId).toMatch(/^wam_[0-9a-z]{26}$/)
  })

  test('are not acknowledged to WhatsApp once the session ended', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const worker = stage.worker()
    const session = await worker.restore(ref)
    const socket = stage.whatsapp.socket(ref)
    stage.fate = () => ({ arrivesAfterMs: 'never', givesUpAfterMs: 100 })
    const received = socket.receive(message)
    const outcome = received.then(
      () => 'resolved',
      (error: Error) => error.name,
    )
    await stage.clock.passTime(1_000)
    session.terminate()
    await stage.clock.passTime(1_000)
    expect(await outcome).toBe('HoldingEnded')
  })
})
