import middy from '@middy/core'
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import { documentClient, objectClient } from '../../shared/aws/clients.ts'
import { mediaStore } from '../../shared/aws/media.ts'
import { mediaObjects } from '../../shared/aws/media-objects.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { sequenceNumberOf } from './decode.ts'

const config = configure('MEDIA_TABLE', 'MEDIA_BUCKET')
const media = mediaStore({ documents: documentClient(), table: config.MEDIA_TABLE })
const objects = mediaObjects({ objects: objectClient(), bucket: config.MEDIA_BUCKET })

const objectsAtOnce = 10

/**
 * Stream of the table `media`: where a row goes, by its age or by a call, its object goes too. What this fails to do for hours the
 * bucket does by age, later.
 */
export const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async ({ Records }) => {
  log.resetKeys()
  const failed: string[] = []
  await bounded(Records, objectsAtOnce, async (record) => {
    try {
      await end(record)
    } catch (error) {
      log.warn('the object of a medium was not deleted; the stream brings it again', { error: error as Error })
      failed.push(sequenceNumberOf(record))
    }
  })
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) }
})

async function end({ eventName, dynamodb }: DynamoDBRecord): Promise<void> {
  const businessProfileId = dynamodb?.Keys?.businessProfileId?.S
  const mediaId = dynamodb?.Keys?.mediaId?.S
  if (eventName !== 'REMOVE' || businessProfileId === undefined || mediaId === undefined) return
  // The medium of a received message has the same id when it is asked for again: it may be back.
  if ((await media.get(businessProfileId, mediaId)) !== undefined) return
  await objects.remove(businessProfileId, mediaId)
}
