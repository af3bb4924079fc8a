import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { operationOf } from '../../functions/streams/decode.ts'

test('the result of an operation that is stored compressed is read from a stream record, where bytes are base64', () => {
  const result = { groups: [{ groupId: '120363041@g.us', subject: 'Tea' }] }
  const row = operationOf({
    connectionKey: { S: 'bp_1#con_1' },
    key: { S: 'operation#opr_1' },
    businessProfileId: { S: 'bp_1' },
    connectionId: { S: 'con_1' },
    operationId: { S: 'opr_1' },
    status: { S: 'succeeded' },
    version: { N: '2' },
    updatedAt: { S: '2026-01-31T12:00:00.000Z' },
    packedResult: { B: gzipSync(JSON.stringify(result)).toString('base64') },
  })
  expect(row).toEqual({
    businessProfileId: 'bp_1',
    connectionId: 'con_1',
    operationId: 'opr_1',
    status: 'succeeded',
    version: 2,
    updatedAt: '2026-01-31T12:00:00.000Z',
    result,
  })
})
