import { DeleteObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId, ConnectionRef } from '../domain/words.ts'
import { deleteItems } from './deleting-items.ts'
import { attributeNames } from './expressions.ts'
import { type MediaBucket, mediaObjectKey } from './media-objects.ts'
import type { StoreTable } from './requests.ts'

export interface MediaErasing {
  /** Rows and objects; ids of which there is neither are fine. At most 1,000. */
  erase(businessProfileId: BusinessProfileId, mediaIds: readonly string[]): Promise<void>
  /** Some of what came with a connection's messages, by its rows. `more`: call again. */
  eraseConnection(ref: ConnectionRef): Promise<{ readonly more: boolean }>
  /** Some of everything that a profile has, also objects whose rows have ended. `more`: call again. */
  eraseProfile(businessProfileId: BusinessProfileId): Promise<{ readonly more: boolean }>
}

/** Rows that one call looks at. */
const pageSize = 500

/** Objects first: what names them goes last. 1 WCU per row; per 1,000 objects one request. */
export function mediaErasing(store: StoreTable, { objects, bucket }: MediaBucket): MediaErasing {
  const { documents, table } = store

  async function erase(businessProfileId: BusinessProfileId, mediaIds: readonly string[]): Promise<void> {
    if (mediaIds.length === 0) return
    const Objects = mediaIds.map((mediaId) => ({ Key: mediaObjectKey(businessProfileId, mediaId) }))
    const { Errors = [] } = await objects.send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
    )
    if (Errors.length > 0) throw new Error(`${Errors.length} media could not be deleted: ${Errors[0]?.Code}`)
    await deleteItems(
      store,
      mediaIds.map((mediaId) => ({ businessProfileId, mediaId })),
    )
  }

  /** Deletes as it goes, so each page begins anew where nothing is passed over. */
  async function rows(businessProfileId: BusinessProfileId, connectionId: string | undefined): Promise<boolean> {
    let start: QueryCommandInput['ExclusiveStartKey']
    const condition = '#businessProfileId = :of'
    const filter = connectionId === undefined ? undefined : '#connectionId = :connectionId'
    const projection = '#mediaId'
    do {
      const page = await documents.send(
        new QueryCommand({
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: condition,
          FilterExpression: filter,
          ProjectionExpression: projection,
          ExpressionAttributeNames: attributeNames(condition, filter, projection),
          ExpressionAttributeValues: {
            ':of': businessProfileId,
            ...(connectionId === undefined ? {} : { ':connectionId': connectionId }),
          },
          Limit: pageSize,
          ExclusiveStartKey: start,
        }),
      )
      const mediaIds = (page.Items ?? []).map(({ mediaId }) => String(mediaId))
      await erase(businessProfileId, mediaIds)
      start = page.LastEvaluatedKey
      if (mediaIds.length > 0) return start !== undefined
    } while (start !== undefined)
    return false
  }

  return {
    erase,
    eraseConnection: async ({ businessProfileId, connectionId }) => ({
      more: await rows(businessProfileId, connectionId),
    }),

    async eraseProfile(businessProfileId) {
      if (await rows(businessProfileId, undefined)) return { more: true }
      const folder = mediaObjectKey(businessProfileId, '')
      const listed = await objects.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: folder }))
      const mediaIds = (listed.Contents ?? []).map(({ Key = '' }) => Key.slice(folder.length))
      await erase(businessProfileId, mediaIds)
      return { more: listed.IsTruncated === true }
    },
  }
}
