import { describe, expect, it } from 'vitest'
import { readBatchReport } from '../../../local/engine/mappings/batch-failures.ts'
import { finishedRecords, type QueueRecord } from '../../../local/engine/mappings/queue-records.ts'

describe('a batch report', () => {
  const read = (payload: unknown) => readBatchReport(payload, new Set(['1', '2']))

  it.each([
    [null],
    [undefined],
    [{}],
    [{ batchItemFailures: null }],
    [{ batchItemFailures: [] }],
    [{ other: 1 }],
  ])('%j means that none failed', (payload) => {
    expect(read(payload)).toEqual({ kind: 'none failed' })
  })

  it('names the records that failed', () => {
    const report = { batchItemFailures: [{ itemIdentifier: '2' }] }
    expect(read(report)).toEqual({ kind: 'some failed', identifiers: new Set(['2']) })
  })

  it.each([
    ['done'],
    [{ batchItemFailures: 'all' }],
    [{ batchItemFailures: ['1'] }],
    [{ batchItemFailures: [{ itemIdentifier: '' }] }],
    [{ batchItemFailures: [{ itemIdentifier: null }] }],
    [{ batchItemFailures: [{ id: '1' }] }],
    [{ batchItemFailures: [{ itemIdentifier: '1' }, { itemIdentifier: '3' }] }],
  ])('%j is invalid', (payload) => {
    expect(read(payload)).toMatchObject({ kind: 'invalid' })
  })
})

describe('what a queue may forget', () => {
  const record = (messageId: string, MessageGroupId: string): QueueRecord => ({
    messageId,
    receiptHandle: messageId,
    body: '',
    attributes: { MessageGroupId },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: '',
    awsRegion: '',
  })
  const batch = [record('a1', 'a'), record('a2', 'a'), record('b1', 'b'), record('a3', 'a'), record('b2', 'b')]
  const ids = (failed: string[], fifo: boolean) => {
    const { finished, outOfOrder } = finishedRecords(batch, new Set(failed), fifo)
    return [finished.map(({ messageId }) => messageId), outOfOrder]
  }

  it('is all but the failed ones of a standard queue', () => {
    expect(ids(['a2'], false)).toEqual([['a1', 'b1', 'a3', 'b2'], 0])
  })

  it('is nothing behind a failure of the same FIFO group, reported or not', () => {
    expect(ids(['a2'], true)).toEqual([['a1', 'b1', 'b2'], 1])
    expect(ids(['a2', 'a3'], true)).toEqual([['a1', 'b1', 'b2'], 0])
  })
})
