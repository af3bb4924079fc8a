import { z } from 'zod'
import { fractionSchema } from './common.ts'

const timeSchema = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 22:00')
  .meta({ example: '22:00' })

const timeZoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, { error: 'must be an IANA time zone', params: { expected: 'a name such as Asia/Colombo' } })
  .meta({ example: 'Asia/Colombo' })

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch {
    return false
  }
}

export const paceSchema = z
  .strictObject({
    minGapMs: z
      .int()
      .min(0)
      .max(10 * 60_000)
      .optional()
      .meta({ description: 'At least so many milliseconds between two sends of the connection.' }),
    jitter: fractionSchema(0, 5)
      .optional()
      .meta({ description: 'Lengthens each gap by a random share of up to this; 0.5 adds up to half.' }),
    typing: z.boolean().optional().meta({ description: 'Shows "typing…" before each message, by its length.' }),
    newChatsPerDay: z.int().min(0).max(1_000).optional().meta({
      description:
        "First messages to people with whom nothing was exchanged yet, per day of the quiet hours' time zone, else of UTC. What is beyond waits.",
    }),
    quietHours: z
      .strictObject({ from: timeSchema, to: timeSchema, timeZone: timeZoneSchema })
      .optional()
      .meta({ description: 'Nothing is sent from `from` to `to`; over midnight where `from` is later.' }),
  })
  .meta({ id: 'Pace' })
