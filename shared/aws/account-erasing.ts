import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId } from '../domain/words.ts'
import { auditPk } from './audit.ts'
import { profilePk } from './business-profiles.ts'
import { erasurePk } from './erasures.ts'
import { attributeNames } from './expressions.ts'
import { deviceKey, isDeviceNote } from './imported-devices.ts'
import { queryAll, type StoreTable } from './requests.ts'
import { usagePk } from './usage.ts'

export interface AccountErasing {
  /** Deletes the audit log, counts, claimed devices and earlier erasures of a profile; `keptErasureId` is the one that does it. */
  eraseTrails(businessProfileId: BusinessProfileId, keptErasureId: string): Promise<void>
}

/** 1 RCU per 4 KB and 1 WCU per item. */
export function accountErasing({ documents, table }: StoreTable): AccountErasing {
  const remove = (Key: { readonly pk: string; readonly sk: string }) =>
    documents.send(new DeleteCommand({ TableName: table, Key }))

  async function erase(pk: string, kept: (sk: string) => boolean = () => false): Promise<void> {
    const condition = '#pk = :pk'
    const items = await queryAll(documents, {
      TableName: table,
      KeyConditionExpression: condition,
      ProjectionExpression: '#pk, #sk',
      ExpressionAttributeNames: attributeNames(condition, '#sk'),
      ExpressionAttributeValues: { ':pk': pk },
    })
    for (const { sk } of items) {
      if (kept(String(sk))) continue
      // What is found by this item goes before it.
      if (isDeviceNote(String(sk))) await remove(deviceKey(String(sk)))
      await remove({ pk, sk: String(sk) })
    }
  }

  return {
    async eraseTrails(businessProfileId, keptErasureId) {
      await erase(auditPk(businessProfileId))
      await erase(usagePk(businessProfileId))
      await erase(erasurePk(businessProfileId), (sk) => sk === keptErasureId)
      // The profile itself goes last, in a call of its own.
      await erase(profilePk(businessProfileId), (sk) => sk === 'profile')
    },
  }
}
