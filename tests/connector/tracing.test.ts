import { expect, it, test } from 'vitest'
import type { TracedSend } from '../../connector/ports.ts'
import { segmentOf } from '../../connector/tracing/segments.ts'
import { SegmentBuffer } from '../../connector/tracing/x-ray.ts'
import { originFields, sampledTrace } from '../../shared/domain/trace.ts'
import { VirtualClock } from './virtual-clock.ts'

const trace = 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1'
const send: TracedSend = {
  trace,
  connectionId: 'con_1',
  messageId: 'msg_1',
  status: 'sent',
  takenAt: 1_000,
  endedAt: 3_500,
}

test.each([
  [undefined, undefined],
  ['Root=1-67891233-abcdef012345678912345678;Sampled=0', undefined],
  ['Root=1-67891233-abcdef012345678912345678', undefined],
  ['Root=secret;Sampled=1', undefined],
  [`${trace};Lineage=1:abc:0`, trace],
  ['Root=1-67891233-abcdef012345678912345678;Sampled=1', 'Root=1-67891233-abcdef012345678912345678;Sampled=1'],
])('of %s is kept: %s', (header, kept) => {
  expect(sampledTrace(header)).toBe(kept)
})

it('log lines name the call and its trace', () => {
  expect(originFields({ requestId: 'r', trace })).toEqual({
    requestId: 'r',
    traceId: '1-67891233-abcdef012345678912345678',
  })
  expect(originFields(undefined)).toEqual({})
})

it('a segment is as long as the worker had the send, with the way to WhatsApp in it', () => {
  let ids = 0
  const newId = () => String(++ids).padStart(16, '0')
  expect(segmentOf({ ...send, handedAt: 2_000, status: 'failed', errorCode: 'expired' }, 'dev', newId)).toEqual({
    name: 'holdfast-connector',
    id: '0000000000000001',
    trace_id: '1-67891233-abcdef012345678912345678',
    parent_id: '53995c3f42cd8ad8',
    start_time: 1,
    end_time: 3.5,
    fault: true,
    annotations: { stage: 'dev', connectionId: 'con_1', messageId: 'msg_1', status: 'failed', errorCode: 'expired' },
    subsegments: [
      { name: 'WhatsApp', namespace: 'remote', id: '0000000000000002', start_time: 2, end_time: 3.5, fault: true },
    ],
  })
})

function buffer(put: (documents: readonly string[]) => Promise<void>) {
  const clock = new VirtualClock()
  const warned: unknown[] = []
  const log = { warn: (fields: unknown) => warned.push(fields) } as never
  return { clock, warned, traces: new SegmentBuffer({ clock, log, stage: 'dev', newId: () => '0'.repeat(16), put }) }
}

it('tells of many at once, at most 25 in a call', async () => {
  const calls: number[] = []
  const { clock, traces } = buffer(async (documents) => void calls.push(documents.length))
  for (let n = 0; n < 60; n++) traces.send(send)
  expect(calls).toEqual([])
  await clock.passTime(1_000)
  await traces.flush()
  expect(calls).toEqual([25, 25, 10])
})

it('what X-Ray does not take is counted and dropped, and later ones go', async () => {
  let fails = true
  const told: string[] = []
  const { warned, traces } = buffer(async (documents) => {
    if (fails) throw new Error('throttled')
    told.push(...documents)
  })
  for (let n = 0; n < 1_005; n++) traces.send(send)
  await traces.flush()
  expect(told).toEqual([])
  expect(warned.at(-1)).toMatchObject({ dropped: 1_005 })
  fails = false
  traces.send(send)
  await traces.flush()
  expect(told).toHaveLength(1)
})
