import { z } from 'zod'
import type { SentMedium } from '../domain/content.ts'
import { fractionSchema } from './common.ts'
import { recipientSchema } from './recipients.ts'

/**
 * What a message says, kind by kind, in the Cloud API's shape. Each kind is an object of its own, so that a field that the kind
 * does not have is named as unknown.
 */

/** WhatsApp's own limit is 65,536 characters; longer texts are cut by clients. */
const bodySchema = z
  .string()
  .min(1)
  .max(65_536)
  .refine((body) => body.trim() !== '', 'must not be blank')

const shortSchema = (max: number) => z.string().trim().min(1).max(max)

const messageIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,128}$/, 'is not a message id')
  .meta({ description: "Our message id (`msg_…`, `wam_…`), or WhatsApp's own.", example: 'wam_0c9…' })

const referenceSchema = z.strictObject({ message_id: messageIdSchema }).meta({ id: 'MessageReference' })

const textSchema = z
  .strictObject({
    body: bodySchema,
    preview_url: z.boolean().optional().meta({ description: 'Show a card for the first link of the text.' }),
  })
  .meta({ id: 'Text' })

const locationSchema = z
  .strictObject({
    latitude: fractionSchema(-90, 90).meta({ description: 'Degrees.' }),
    longitude: fractionSchema(-180, 180).meta({ description: 'Degrees.' }),
    name: shortSchema(1_000).optional(),
    address: shortSchema(1_000).optional(),
  })
  .meta({ id: 'Location' })

const kindOf = shortSchema(50).optional().meta({ description: 'HOME, WORK, …' })

const contactSchema = z
  .strictObject({
    name: z.strictObject({
      formatted_name: shortSchema(250),
      first_name: shortSchema(250).optional(),
      last_name: shortSchema(250).optional(),
      middle_name: shortSchema(250).optional(),
      prefix: shortSchema(50).optional(),
      suffix: shortSchema(50).optional(),
    }),
    phones: z
      .array(
        z.strictObject({
          phone: shortSchema(64),
          type: kindOf,
          wa_id: z
            .string()
            .regex(/^\d{5,20}$/, 'must be digits')
            .optional()
            .meta({ description: 'Digits of the number on WhatsApp: the card then offers to write to it.' }),
        }),
      )
      .max(20)
      .optional(),
    emails: z
      .array(z.strictObject({ email: shortSchema(320), type: kindOf }))
      .max(20)
      .optional(),
    urls: z
      .array(z.strictObject({ url: shortSchema(2_000), type: kindOf }))
      .max(20)
      .optional(),
    addresses: z
      .array(
        z.strictObject({
          street: shortSchema(250).optional(),
          city: shortSchema(250).optional(),
          state: shortSchema(250).optional(),
          zip: shortSchema(50).optional(),
          country: shortSchema(250).optional(),
          type: kindOf,
        }),
      )
      .max(20)
      .optional(),
    org: z
      .strictObject({
        company: shortSchema(250).optional(),
        department: shortSchema(250).optional(),
        title: shortSchema(250).optional(),
      })
      .optional(),
    birthday: z.iso.date().optional(),
  })
  .meta({ id: 'ContactCard' })

/** Not as a pattern of the contract: few validators know sets of strings. */
const emoji = /^(?:|(?:\p{RGI_Emoji}|\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f)+)$/v

const emojiSchema = z
  .string()
  .max(64)
  .refine((text) => emoji.test(text), 'is not an emoji')
  .meta({ description: 'Empty: takes the reaction back.', example: '👍' })

const pollSchema = z
  .strictObject({
    name: shortSchema(255),
    options: z
      .array(shortSchema(100))
      .min(2)
      .max(12)
      .refine((options) => new Set(options).size === options.length, 'must differ from each other'),
    selectableCount: z
      .int()
      .min(0)
      .default(0)
      .meta({ description: 'How many options one person may choose. 0: any number.' }),
  })
  .refine(({ options, selectableCount }) => selectableCount <= options.length, {
    message: 'must not exceed the number of options',
    path: ['selectableCount'],
  })
  .meta({ id: 'Poll' })

/** Seconds, as WhatsApp offers them: a day, a week, 90 days. */
export const disappearAfterSeconds = [86_400, 604_800, 7_776_000] as const

const mentionsSchema = z
  .array(recipientSchema)
  .max(1_000)
  .transform((people) => people.map(({ chat }) => chat))
  .meta({ description: 'People whom the text names as `@<digits>`: phone numbers or JIDs.' })

const answering = {
  context: referenceSchema.optional().meta({ description: 'The message that this one answers.' }),
  disappearAfterSeconds: z.literal(disappearAfterSeconds).optional(),
}
const accompaniment = {
  ...answering,
  forwarded: z.boolean().optional().meta({ description: 'Shown as forwarded.' }),
}
const captioned = { mentions: mentionsSchema.optional(), ...accompaniment }
const shownOnce = {
  viewOnce: z.boolean().optional().meta({
    description: 'Can be opened once, and is gone then. Goes without `mentions` and `forwarded`.',
  }),
}

const captionSchema = bodySchema.max(1_024)

/** Common to all kinds of media. */
const mediumFields = {
  id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'is not a medium id')
    .optional()
    .meta({ description: 'A medium of `POST /media`, or one that was received or sent before.', example: 'med_0c9…' }),
  link: z
    .url({ protocol: /^https?$/, error: 'must be an https:// address' })
    .max(2_000)
    .optional()
    .meta({ description: 'Fetched when the message is sent.', example: 'https://example.com/tea.jpg' }),
}

const hasOneSource = ({ id, link }: SentMedium): boolean => (id === undefined) !== (link === undefined)

function mediumSchema<Shape extends z.core.$ZodShape>(id: string, fields: Shape) {
  return z
    .strictObject({ ...mediumFields, ...fields })
    .refine((medium: unknown) => hasOneSource(medium as SentMedium), {
      message: 'needs either id or link',
    })
    .meta({ id })
}

const mediaKinds = {
  image: mediumSchema('ImageToSend', { caption: captionSchema.optional() }),
  video: mediumSchema('VideoToSend', {
    caption: captionSchema.optional(),
    gif: z.boolean().optional().meta({ description: 'Plays by itself, over and over, without sound.' }),
  }),
  audio: mediumSchema('AudioToSend', {
    voice: z.boolean().optional().meta({ description: 'Shown as a voice note; must be Opus in Ogg.' }),
  }),
  document: mediumSchema('DocumentToSend', {
    caption: captionSchema.optional(),
    filename: shortSchema(255)
      .regex(/^[^\p{C}/\\]+$/u, 'must be a name without folders')
      .optional()
      .meta({ description: 'Shown to the recipient.' }),
  }),
  sticker: mediumSchema('StickerToSend', {}),
}

/** Fields of each kind beside `type`. */
export const sendKinds = {
  text: { text: textSchema, mentions: mentionsSchema.optional(), ...accompaniment },
  location: { location: locationSchema, ...accompaniment },
  contacts: { contacts: z.array(contactSchema).min(1).max(20), ...accompaniment },
  poll: { poll: pollSchema, ...answering },
  image: { image: mediaKinds.image, ...shownOnce, ...captioned },
  video: { video: mediaKinds.video, ...shownOnce, ...captioned },
  audio: { audio: mediaKinds.audio, ...shownOnce, ...accompaniment },
  document: { document: mediaKinds.document, ...captioned },
  sticker: { sticker: mediaKinds.sticker, ...accompaniment },
  reaction: { reaction: z.strictObject({ message_id: messageIdSchema, emoji: emojiSchema }).meta({ id: 'Reaction' }) },
  edit: { edit: z.strictObject({ message_id: messageIdSchema, text: bodySchema }).meta({ id: 'Edit' }) },
  delete: { delete: referenceSchema },
} as const

const typeNames = Object.keys(sendKinds).join(', ')

/** What is gone once it was seen names nobody and was never somebody else's. */
function fitsViewOnce(send: unknown): boolean {
  const { viewOnce, mentions, forwarded } = send as Readonly<Record<string, unknown>>
  return viewOnce !== true || (mentions === undefined && forwarded !== true)
}

/** One strict object per kind, told apart by `type`; `common` is what every kind has. */
export function sendSchema<Common extends z.core.$ZodShape>(common: Common) {
  const kind = <Type extends keyof typeof sendKinds>(type: Type) =>
    z.strictObject({ ...common, type: z.literal(type), ...sendKinds[type] })
  return z
    .discriminatedUnion(
      'type',
      [
        kind('text'),
        kind('image'),
        kind('video'),
        kind('audio'),
        kind('document'),
        kind('sticker'),
        kind('location'),
        kind('contacts'),
        kind('poll'),
        kind('reaction'),
        kind('edit'),
        kind('delete'),
      ],
      { error: (issue) => (issue.code === 'invalid_union' ? `must be one of: ${typeNames}` : undefined) },
    )
    .refine(fitsViewOnce, { message: 'goes without mentions and forwarded', path: ['viewOnce'] })
}
