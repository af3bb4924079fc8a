import type { AttributeValue, _Record as SdkRecord } from '@aws-sdk/client-dynamodb-streams'
import { expect, it } from 'vitest'
import { streamRecord } from '../../../local/engine/mappings/stream-records.ts'

it("an empty map, which DynamoDB Local's streams leave out, is there", () => {
  const record: SdkRecord = {
    eventName: 'INSERT',
    dynamodb: {
      NewImage: { retention: {} as AttributeValue, inner: { M: { none: {} as AttributeValue } }, no: { BOOL: false } },
    },
  }
  expect(streamRecord(record, 'arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/s').dynamodb.NewImage).toEqual({
    retention: { M: {} },
    inner: { M: { none: { M: {} } } },
    no: { BOOL: false },
  })
})
