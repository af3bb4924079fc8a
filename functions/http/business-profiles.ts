import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import { etagOf } from '../../shared/api/common.ts'
import { type BusinessProfile, profileOf } from '../../shared/aws/business-profiles.ts'
import { decodeCursor, encodeCursor } from '../../shared/aws/cursor.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { Page } from '../../shared/domain/stores/connections.ts'

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
    items.push(...(found.Items ?? []).map(profileOf))
    place = found.LastEvaluatedKey === undefined ? undefined : placeSchema.parse(found.LastEvaluatedKey)
    if (place === undefined) return { items }
    if (items.length >= limit) break
  }
  return place === undefined ? { items } : { items, next: encodeCursor(place) }
}

export function publicProfile(profile: BusinessProfile) {
  const { businessProfileId, name, state, quotas, limits, retention, version, createdAt, updatedAt } = profile
  return {
    body: { businessProfileId, name, state, quotas, limits, retention, version, createdAt, updatedAt },
    headers: { etag: etagOf(profile) },
  }
}
