import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { MediaRow, MediaStore } from '../domain/stores/media.ts'
import type { BusinessProfileId } from '../domain/words.ts'
import { putIf, update } from './expressions.ts'
import { conditional, type StoreTable, withoutConflict } from './requests.ts'

/** Rows of media. One RCU a read, one WCU a write (a row has a few KB at most). */
export function mediaStore({ documents, table }: StoreTable, now: () => number = Date.now): MediaStore {
  const key = (businessProfileId: BusinessProfileId, mediaId: string) => ({ businessProfileId, mediaId })
  return {
    async create(row) {
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, row, 'attribute_not_exists(#mediaId)'))),
      )
      return { kind: put.kind === 'landed' ? 'created' : 'exists' }
    },

    async put(row) {
      await withoutConflict(() => documents.send(new PutCommand({ TableName: table, Item: { ...row } })))
    },

    async get(businessProfileId, mediaId) {
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: key(businessProfileId, mediaId), ConsistentRead: true }),
      )
      const row = Item as MediaRow | undefined
      // DynamoDB deletes late.
      return row === undefined || row.expireAt * 1_000 <= now() ? undefined : row
    },

    async remove(businessProfileId, mediaId) {
      await withoutConflict(() =>
        documents.send(new DeleteCommand({ TableName: table, Key: key(businessProfileId, mediaId) })),
      )
    },

    async noteUpload(businessProfileId, mediaId, kind, upload) {
      const item = key(businessProfileId, mediaId)
      const there = 'attribute_exists(#mediaId)'
      // A map can't be set below one that is not there yet.
      const first = update(table, item, {
        set: { uploads: { [kind]: upload } },
        condition: `${there} AND attribute_not_exists(#uploads)`,
      })
      const landed = await conditional(() => documents.send(new UpdateCommand(first)))
      if (landed.kind === 'landed' || landed.item === undefined) return
      await conditional(() =>
        documents.send(
          new UpdateCommand({
            TableName: table,
            Key: item,
            UpdateExpression: 'SET #uploads.#kind = :upload',
            ConditionExpression: there,
            ExpressionAttributeNames: { '#uploads': 'uploads', '#kind': kind, '#mediaId': 'mediaId' },
            ExpressionAttributeValues: { ':upload': upload },
          }),
        ),
      )
    },
  }
}
