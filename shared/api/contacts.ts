import { z } from 'zod'
import { isoTimeSchema } from './common.ts'
import { operationSchema } from './operations.ts'
import { phoneNumberSchema, recipientSchema } from './recipients.ts'

/** Numbers of one check. */
export const checkedNumbersMax = 100

/** Parses to a JID: a person, by phone number or LID. */
export const contactSchema = recipientSchema
  .refine(({ chat }) => !chat.endsWith('@g.us'), 'must be a person, not a group')
  .transform(({ chat }) => chat)
  .meta({ description: 'A person: phone number (E.164, bare digits) or LID.', example: '+94714515253' })

/** A person as answers show it. */
export const personFields = {
  phoneNumber: z.string().optional().meta({ example: '+94714515253' }),
  lid: z.string().optional().meta({ description: "WhatsApp's own id of the person.", example: '103981532254412@lid' }),
}
export const personSchema = z.strictObject(personFields).meta({ id: 'Person' })

export const checkContactsSchema = z
  .strictObject({
    phoneNumbers: z
      .array(phoneNumberSchema)
      .min(1)
      .max(checkedNumbersMax)
      .transform((numbers) => [...new Set(numbers)]),
  })
  .meta({ id: 'CheckContacts', examples: [{ phoneNumbers: ['+94714515253'] }] })

export const blockContactSchema = z.strictObject({ contact: contactSchema }).meta({ id: 'BlockContact' })

const checkedSchema = z
  .strictObject({
    contacts: z.array(
      z
        .strictObject({
          phoneNumber: z.string().meta({ description: 'As it was asked for, E.164.' }),
          onWhatsApp: z.boolean(),
          jid: z.string().optional().meta({ description: 'Where WhatsApp writes the number in another way.' }),
          lid: personFields.lid,
        })
        .meta({ id: 'CheckedContact' }),
    ),
  })
  .meta({ id: 'CheckedContacts', description: 'In the order asked, each number once.' })

const profileSchema = z
  .strictObject({
    ...personFields,
    about: z.string().optional().meta({ description: 'Absent where this account may not see it.' }),
    aboutSetAt: isoTimeSchema.optional(),
    pictureUrl: z
      .string()
      .optional()
      .meta({ description: "WhatsApp's own address of the picture. Absent where there is none for this account." }),
  })
  .meta({ id: 'ContactProfile' })

const blockedSchema = z.strictObject({ ...personFields, blocked: z.boolean() }).meta({ id: 'Blocked' })
const blockListSchema = z.strictObject({ contacts: z.array(personSchema) }).meta({ id: 'BlockList' })

export const contactOperationSchemas = {
  check_contacts: operationSchema('check_contacts', checkedSchema, 'CheckContactsOperation'),
  get_contact: operationSchema('get_contact', profileSchema, 'GetContactOperation'),
  list_blocked: operationSchema('list_blocked', blockListSchema, 'ListBlockedOperation'),
  block_contact: operationSchema('block_contact', blockedSchema, 'BlockContactOperation'),
  unblock_contact: operationSchema('unblock_contact', blockedSchema, 'UnblockContactOperation'),
  subscribe_presence: operationSchema('subscribe_presence', personSchema, 'SubscribePresenceOperation'),
}
