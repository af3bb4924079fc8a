import { z } from 'zod'
import { groupRoles, participantOutcomes } from '../domain/operations.ts'
import { isoTimeSchema } from './common.ts'
import { contactSchema, personFields, personSchema } from './contacts.ts'
import { operationSchema } from './operations.ts'

/** What WhatsApp's apps allow. */
export const groupLimits = { subject: 100, description: 2_048, participantsPerCall: 100 } as const

/** Parses to the group's JID. */
export const groupIdSchema = z
  .string()
  .max(64)
  .regex(/^\d{5,30}(?:-\d{5,20})?(?:@g\.us)?$/, 'is not a group id')
  .transform((id) => (id.endsWith('@g.us') ? id : `${id}@g.us`))
  .meta({ description: 'Id of a group, with or without `@g.us`.', example: '120363041234567890@g.us' })

const subjectSchema = z.string().trim().min(1).max(groupLimits.subject).meta({ example: 'Tea orders' })
const descriptionSchema = z.string().trim().min(1).max(groupLimits.description)
const participantsSchema = z
  .array(contactSchema)
  .min(1)
  .max(groupLimits.participantsPerCall)
  .transform((people) => [...new Set(people)])

export const createGroupSchema = z
  .strictObject({ subject: subjectSchema, description: descriptionSchema.optional(), participants: participantsSchema })
  .meta({ id: 'CreateGroup', examples: [{ subject: 'Tea orders', participants: ['+94714515253'] }] })

export const updateGroupSchema = z
  .strictObject({
    subject: subjectSchema.optional(),
    description: descriptionSchema.nullable().optional().meta({ description: 'null takes it away.' }),
    announce: z.boolean().optional().meta({ description: 'Only admins may write.' }),
    locked: z.boolean().optional().meta({ description: 'Only admins may change subject, description and picture.' }),
  })
  .refine(
    (body) => Object.values(body).some((value) => value !== undefined),
    'must name subject, description, announce or locked',
  )
  .meta({ id: 'UpdateGroup' })

export const changeParticipantsSchema = z
  .strictObject({ participants: participantsSchema })
  .meta({ id: 'ChangeParticipants', examples: [{ participants: ['+94714515253'] }] })

/** Bytes of a picture; with base64 and the rest it fits into a request. */
export const pictureBytesMax = 150 * 1024

export const groupPictureSchema = z
  .strictObject({
    jpeg: z
      .base64({ error: 'must be base64' })
      .max(Math.ceil(pictureBytesMax / 3) * 4)
      .refine(isJpeg, { error: 'is not a JPEG', params: { expected: 'a JPEG image in base64' } })
      .meta({
        description: `A square JPEG in base64, at most ${pictureBytesMax / 1024} KB; WhatsApp shows 640 × 640.`,
      }),
  })
  .meta({ id: 'GroupPicture' })

/** JPEGs begin with `FF D8 FF`. */
function isJpeg(base64: string): boolean {
  return base64.startsWith('/9j/')
}

export const joinGroupSchema = z
  .strictObject({
    invite: z
      .string()
      .trim()
      .max(256)
      .regex(
        /^(?:https:\/\/chat\.whatsapp\.com\/(?:invite\/)?)?[A-Za-z0-9_-]{10,64}(?:\?.*)?$/,
        'is not an invite link',
      )
      .transform((text) => text.replace(/\?.*$/, '').split('/').at(-1) ?? '')
      .meta({
        description: 'Invite link, or the code at its end.',
        example: 'https://chat.whatsapp.com/Gx0AbCdEfGhIjKlMnOpQrS',
      }),
  })
  .meta({ id: 'JoinGroup' })

const roleSchema = z.enum(groupRoles)
const summaryFields = {
  groupId: z.string().meta({ example: '120363041234567890@g.us' }),
  subject: z.string(),
  description: z.string().optional(),
  owner: personSchema.optional(),
  createdAt: isoTimeSchema.optional(),
  size: z.int().min(0).meta({ description: 'How many are in it.' }),
  role: roleSchema.meta({ description: "This connection's own." }),
  announce: z.boolean(),
  locked: z.boolean(),
  joinApproval: z.boolean().meta({ description: 'Who follows an invite link waits for an admin.' }),
  disappearAfterSeconds: z.int().optional(),
}

const groupSummarySchema = z.strictObject(summaryFields).meta({ id: 'GroupSummary' })
const groupSchema = z
  .strictObject({
    ...summaryFields,
    participants: z.array(z.strictObject({ ...personFields, role: roleSchema }).meta({ id: 'GroupParticipant' })),
  })
  .meta({ id: 'Group' })

const changedSchema = z
  .strictObject({
    participants: z.array(
      z
        .strictObject({
          ...personFields,
          outcome: z.enum(participantOutcomes).meta({
            description: '`already`: it was so before. `refused`: WhatsApp said no to this one.',
          }),
          whatsappCode: z.string().optional(),
        })
        .meta({ id: 'ParticipantChange' }),
    ),
  })
  .meta({ id: 'ChangedParticipants' })

const inviteSchema = z
  .strictObject({ code: z.string(), url: z.string() })
  .meta({ id: 'GroupInvite', examples: [{ code: 'Gx0…', url: 'https://chat.whatsapp.com/Gx0…' }] })
const groupIdResult = z.strictObject({ groupId: z.string() }).meta({ id: 'LeftGroup' })
const pictureResult = z
  .strictObject({ groupId: z.string(), pictureUrl: z.string().optional() })
  .meta({ id: 'ChangedGroupPicture' })
const joinedSchema = z
  .strictObject({
    groupId: z.string(),
    outcome: z.enum(['joined', 'already', 'requested']).meta({
      description: '`requested`: an admin has to let the account in.',
    }),
  })
  .meta({ id: 'JoinedGroup' })

export const groupOperationSchemas = {
  list_groups: operationSchema(
    'list_groups',
    z.strictObject({ groups: z.array(groupSummarySchema) }).meta({ id: 'GroupList' }),
    'ListGroupsOperation',
  ),
  get_group: operationSchema('get_group', groupSchema, 'GetGroupOperation'),
  create_group: operationSchema('create_group', groupSchema, 'CreateGroupOperation'),
  leave_group: operationSchema('leave_group', groupIdResult, 'LeaveGroupOperation'),
  update_group: operationSchema('update_group', groupSchema, 'UpdateGroupOperation'),
  set_group_picture: operationSchema('set_group_picture', pictureResult, 'SetGroupPictureOperation'),
  add_participants: operationSchema('add_participants', changedSchema, 'AddParticipantsOperation'),
  remove_participants: operationSchema('remove_participants', changedSchema, 'RemoveParticipantsOperation'),
  promote_participants: operationSchema('promote_participants', changedSchema, 'PromoteParticipantsOperation'),
  demote_participants: operationSchema('demote_participants', changedSchema, 'DemoteParticipantsOperation'),
  get_group_invite: operationSchema('get_group_invite', inviteSchema, 'GetGroupInviteOperation'),
  revoke_group_invite: operationSchema('revoke_group_invite', inviteSchema, 'RevokeGroupInviteOperation'),
  join_group: operationSchema('join_group', joinedSchema, 'JoinGroupOperation'),
}
