import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { mediaIdOfMessage } from '../../shared/aws/ids.ts'
import { mediaErasing } from '../../shared/aws/media-erasing.ts'
import { mediaObjectKey } from '../../shared/aws/media-objects.ts'
import { messageErasing } from '../../shared/aws/message-erasing.ts'
import { toItem } from '../../shared/aws/message-items.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { type DynamoLocal, startQueuesAndObjects } from '../adapters/emulators.ts'
import { sharedDynamo } from '../adapters/shared-dynamo.ts'
import { at, received, ref, send } from '../contracts/message-rows.ts'

const group = '120363001234567890@g.us'
const other = '94779999999@s.whatsapp.net'
let dynamo: DynamoLocal
let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
let bucket: string
let messagesTable: StoreTable
let mediaTable: StoreTable

beforeAll(async () => {
  ;[dynamo, emulator] = await Promise.all([sharedDynamo(), startQueuesAndObjects()])
  bucket = await emulator.bucket('media')
})
afterAll(() => Promise.all([dynamo?.stop(), emulator?.stop()]))
beforeEach(async () => {
  ;[messagesTable, mediaTable] = await Promise.all([dynamo.fresh('messages'), dynamo.fresh('media')])
})

const stores = () => {
  const media = mediaErasing(mediaTable, { objects: emulator.objects, bucket })
  return { media, messages: messageErasing(messagesTable, media) }
}

/** An object and, unless it has ended, its row. */
async function medium(businessProfileId: string, mediaId: string, row?: { readonly connectionId?: string }) {
  const Key = mediaObjectKey(businessProfileId, mediaId)
  await emulator.objects.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'bytes' }))
  if (row === undefined) return
  const Item = { businessProfileId, mediaId, ...row }
  await mediaTable.documents.send(new PutCommand({ TableName: mediaTable.table, Item }))
}

/** Which of row and object there are. */
async function left(businessProfileId: string, mediaId: string) {
  const Key = mediaObjectKey(businessProfileId, mediaId)
  const object = emulator.objects.send(new HeadObjectCommand({ Bucket: bucket, Key })).then(
    () => ['object'],
    () => [],
  )
  const row = await mediaTable.documents.send(
    new GetCommand({ TableName: mediaTable.table, Key: { businessProfileId, mediaId } }),
  )
  return [...(row.Item === undefined ? [] : ['row']), ...(await object)]
}

async function messageIn(chat: string, whatsappId: string): Promise<string> {
  const row = received({ chat, whatsappId, key: `in#${whatsappId}` })
  await messagesTable.documents.send(new PutCommand({ TableName: messagesTable.table, Item: toItem(row) }))
  const mediaId = mediaIdOfMessage(row, row.key)
  await medium(row.businessProfileId, mediaId, { connectionId: row.connectionId })
  return mediaId
}

test("a chat's messages go with their media; other chats keep theirs", async () => {
  const [gone, kept] = [await messageIn(group, 'A'), await messageIn(other, 'B')]
  expect(await stores().messages.eraseChat(ref, group)).toEqual({ erased: 1, more: false })
  expect(await left(ref.businessProfileId, gone)).toEqual([])
  expect(await left(ref.businessProfileId, kept)).toEqual(['row', 'object'])
})

test("a group's messages go with the receipts of its members", async () => {
  const api = apiMessages(messagesTable)
  const accepted = await api.accept(send({ chat: group }))
  if (accepted.kind !== 'created') throw new Error(accepted.kind)
  const { whatsappId } = accepted.row
  const told = { participant: { lid: '777@lid' }, step: 'read', at: at(2) } as const
  await workerMessages(messagesTable).receipt(ref, whatsappId, 1, told)
  expect(await api.receipts(ref, whatsappId)).toHaveLength(1)
  await stores().messages.eraseChat(ref, group)
  expect(await api.receipts(ref, whatsappId)).toEqual([])
})

test("a connection's media go, also where their messages have ended; uploads are the profile's", async () => {
  const { media, messages } = stores()
  const gone = await messageIn(other, 'A')
  await medium(ref.businessProfileId, 'med_ended', { connectionId: ref.connectionId })
  await medium(ref.businessProfileId, 'med_other', { connectionId: 'con_2' })
  await medium(ref.businessProfileId, 'med_upload', {})
  await messages.eraseConnection(ref)
  while ((await media.eraseConnection(ref)).more);
  for (const mediaId of [gone, 'med_ended']) expect(await left(ref.businessProfileId, mediaId)).toEqual([])
  for (const mediaId of ['med_other', 'med_upload'])
    expect(await left(ref.businessProfileId, mediaId)).toEqual(['row', 'object'])
})

test("a profile's media all go, objects without a row too; another profile keeps its own", async () => {
  const { media } = stores()
  for (let i = 0; i < 30; i++) await medium('bp_gone', `med_${i}`, {})
  await medium('bp_gone', 'med_ended')
  await medium('bp_gone2', 'med_kept', {})
  while ((await media.eraseProfile('bp_gone')).more);
  for (const mediaId of ['med_0', 'med_29', 'med_ended']) expect(await left('bp_gone', mediaId)).toEqual([])
  expect(await left('bp_gone2', 'med_kept')).toEqual(['row', 'object'])
})
