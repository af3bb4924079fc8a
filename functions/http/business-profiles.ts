import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import type { BusinessProfile } from '../../shared/aws/accounts.ts'
import { decodeCursor, encodeCursor } from '../../shared/aws/cursor.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { Page } from '../../shared/domain/stores/connections.ts'

const profileSchema = z.object({ businessProfileId: z.string(), name: z.string(), createdAt: z.string() })
const placeSchema = z.object({ pk: z.string(), sk: z.string() })

/** Reads of one page, however few profiles they find: a scan passes the keys of all profiles as well. */
const readsMax = 10

/** All business profiles, in no order. A scan: only an operator asks, and rarely. */
export async function listBusinessProfiles(
  { documents, table }: StoreTable,
  limit: number,
  next: string | undefined,
): Promise<Page<BusinessProfile>> {
  const items: BusinessProfile[] = []
  let place: Record<string, string> | undefined = next === undefined ? undefined : decodeCursor(next, ['pk', 'sk'])
  for (let reads = 0; reads < readsMax; reads++) {
    const found = await documents.send(
      new ScanCommand({
        TableName: table,
        ConsistentRead: true,
        FilterExpression: 'sk = :profile',
        ExpressionAttributeValues: { ':profile': 'profile' },
        // What is read, not what is found: so a page never holds more than was asked for.
        Limit: limit - items.length,
        ...(place === undefined ? {} : { ExclusiveStartKey: place }),
      }),
    )
    items.push(...z.array(profileSchema).parse(found.Items ?? []))
    place = found.LastEvaluatedKey === undefined ? undefined : placeSchema.parse(found.LastEvaluatedKey)
    if (place === undefined) return { items }
    if (items.length >= limit) break
  }
  return place === undefined ? { items } : { items, next: encodeCursor(place) }
}
