import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { announced, eventNames, eventSchemaOf, events, exampleOf, outwardEventSchema } from '../../shared/api/events.ts'
import { renderEvents } from '../../shared/api/events-doc.ts'
import { changeFrameSchema } from '../../shared/api/live.ts'

describe('the catalogue of events', () => {
  test.each(eventNames)('the example of %s is what its schema says', (name) => {
    expect(eventSchemaOf(name).parse(exampleOf(name))).toEqual(exampleOf(name))
    expect(outwardEventSchema.parse(exampleOf(name))).toEqual(exampleOf(name))
  })

  test('every change that browsers hear of is in it', () => {
    const names = changeFrameSchema.options.flatMap(({ shape }) =>
      shape.event instanceof z.ZodEnum ? [...shape.event.options] : [shape.event.value],
    )
    expect(names.filter((name: string) => !(name in events))).toEqual([])
  })

  test('a connection is announced without what links a device', () => {
    const { qr: _, ...connection } = exampleOf('whatsapp-qr').data as ReturnType<typeof announced>
    const shown = announced({
      ...connection,
      qr: { text: 'secret', expiresAt: '2026-01-31T12:00:20.000Z' },
      pairingCode: { code: 'ABCD1234', expiresAt: '2026-01-31T12:00:20.000Z' },
    } as Parameters<typeof announced>[0])
    expect(JSON.stringify(shown)).not.toMatch(/secret|ABCD1234/)
    expect(shown).toMatchObject({
      qr: { expiresAt: expect.any(String) },
      pairingCode: { expiresAt: expect.any(String) },
    })
  })

  test('docs/events.md is what the catalogue renders to', () => {
    // To write it anew: node --eval "…renderEvents()" into docs/events.md.
    expect(readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8')).toBe(renderEvents())
  })
})
