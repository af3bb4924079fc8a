import { z } from 'zod'
import { contentTypes, type InboundContent, type ReceivedMedium, type SentMedium } from '../domain/content.ts'
import { assertNever, type SendContent } from '../domain/words.ts'

/** What callers see of a message's content: `type`, the field of that name, and what accompanies it. */

const reference = { message_id: z.string() }
const string = z.string().optional()
const number = z.number().optional()
const flag = z.boolean().optional()

const mediumSchema = z
  .strictObject({
    id: string.meta({ description: 'As it was sent.' }),
    link: string.meta({ description: 'As it was sent.' }),
    mimeType: string,
    bytes: number,
    sha256: string.meta({ description: 'Base64.' }),
    caption: string,
    filename: string,
    width: number.meta({ description: 'Pixels.' }),
    height: number.meta({ description: 'Pixels.' }),
    seconds: number,
    voice: flag.meta({ description: 'A voice note.' }),
    gif: flag,
    animated: flag,
  })
  .meta({ id: 'Medium' })

const typed = z.string().optional()
const shownContactSchema = z
  .strictObject({
    name: z.strictObject({
      formatted_name: z.string(),
      first_name: string,
      last_name: string,
      middle_name: string,
      prefix: string,
      suffix: string,
    }),
    phones: z.array(z.strictObject({ phone: z.string(), type: typed, wa_id: string })).optional(),
    emails: z.array(z.strictObject({ email: z.string(), type: typed })).optional(),
    urls: z.array(z.strictObject({ url: z.string(), type: typed })).optional(),
    addresses: z
      .array(z.strictObject({ street: string, city: string, state: string, zip: string, country: string, type: typed }))
      .optional(),
    org: z.strictObject({ company: string, department: string, title: string }).optional(),
    birthday: string,
    vcard: string.meta({ description: 'A received card as it came.' }),
  })
  .meta({ id: 'ShownContactCard' })

export const shownContentFields = {
  type: z.enum(contentTypes),
  text: z.strictObject({ body: z.string(), preview_url: flag }).optional(),
  location: z
    .strictObject({ latitude: z.number(), longitude: z.number(), name: string, address: string, live: flag })
    .optional(),
  contacts: z.array(shownContactSchema).optional(),
  poll: z.strictObject({ name: z.string(), options: z.array(z.string()), selectableCount: z.int() }).optional(),
  image: mediumSchema.optional(),
  video: mediumSchema.optional(),
  audio: mediumSchema.optional(),
  document: mediumSchema.optional(),
  sticker: mediumSchema.optional(),
  reaction: z.strictObject({ ...reference, emoji: z.string().meta({ description: 'Empty: taken back.' }) }).optional(),
  edit: z.strictObject({ ...reference, text: z.string() }).optional(),
  delete: z.strictObject(reference).optional(),
  poll_vote: z
    .strictObject({ ...reference, options: z.array(z.string()) })
    .optional()
    .meta({ description: 'All options that the voter has chosen now.' }),
  context: z.strictObject(reference).optional().meta({ description: 'The message that this one answers.' }),
  quotedFrom: string.meta({ description: 'Who wrote the message that this one answers.' }),
  mentions: z.array(z.string()).optional().meta({ description: 'JIDs.' }),
  forwarded: flag,
  viewOnce: flag,
  disappearAfterSeconds: number,
  kind: string.meta({ description: 'With `unsupported`: what WhatsApp calls it.' }),
  truncated: z
    .literal(true)
    .optional()
    .meta({ description: 'Only on the WebSocket: the content is too long for a frame; the REST API gives it.' }),
}

type Shown = z.infer<z.ZodObject<typeof shownContentFields>>

/** Without what only we may know: keys of media and secrets of polls. */
export function shownContent(content: SendContent | InboundContent): Shown {
  switch (content.type) {
    case 'text':
    case 'location':
    case 'contacts':
    case 'reaction':
    case 'edit':
    case 'delete':
    case 'poll_vote':
    case 'unsupported':
      return content as Shown
    case 'poll': {
      const { name, options, selectableCount } = content.poll
      return { ...content, poll: { name, options: [...options], selectableCount } } as Shown
    }
    case 'image':
      return { ...content, image: withoutSource(content.image) } as Shown
    case 'video':
      return { ...content, video: withoutSource(content.video) } as Shown
    case 'audio':
      return { ...content, audio: withoutSource(content.audio) } as Shown
    case 'document':
      return { ...content, document: withoutSource(content.document) } as Shown
    case 'sticker':
      return { ...content, sticker: withoutSource(content.sticker) } as Shown
    default:
      return assertNever(content)
  }
}

function withoutSource(medium: SentMedium | ReceivedMedium): object {
  const { source: _, ...shown } = medium as ReceivedMedium
  return shown
}
