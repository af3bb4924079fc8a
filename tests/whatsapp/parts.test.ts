import { describe, expect, test } from 'vitest'
import { Faults, faultRequest } from '../../local/whatsapp/faults.ts'
import { FrameReader, frame } from '../../local/whatsapp/frames.ts'
import { CLIENT_INTRO } from '../../local/whatsapp/noise.ts'
import { PreKeyPool } from '../../local/whatsapp/prekey-pool.ts'

const DEVICES = Array.from({ length: 400 }, (_, index) => ({
  connectionNumber: index,
  device: `1555010${String(index).padStart(4, '0')}:1`,
}))

describe('standing faults', () => {
  test('a share of the devices is about that share, and the same devices each time', () => {
    const faults = new Faults(() => 0)
    const fault = faults.add(faultRequest.parse({ kind: 'no-acks', target: { share: 0.3 } }))
    const chosen = DEVICES.filter((each) => faults.matches(fault, each))
    expect(chosen.length).toBeGreaterThan(80)
    expect(chosen.length).toBeLessThan(160)
    expect(DEVICES.filter((each) => faults.matches(fault, each))).toEqual(chosen)
  })

  test('a number names all its devices and no other number that begins the same', () => {
    const faults = new Faults(() => 0)
    faults.add(faultRequest.parse({ kind: 'silent', target: { phoneNumber: '1555' } }))
    expect(faults.find('silent', { connectionNumber: 1, device: '1555:2' })).toBeDefined()
    expect(faults.find('silent', { connectionNumber: 1, device: '15550:2' })).toBeUndefined()
    expect(faults.find('silent', { connectionNumber: 1, device: undefined })).toBeUndefined()
  })

  test('time runs out for them without anyone looking', () => {
    let now = 1000
    const faults = new Faults(() => now)
    faults.add(faultRequest.parse({ kind: 'silent', ms: 500, target: { all: true } }))
    faults.add(faultRequest.parse({ kind: 'delay', ms: 10, durationMs: 800, target: { all: true } }))
    now = 1499
    expect(faults.list()).toHaveLength(2)
    now = 1500
    expect(faults.list().map(({ request }) => request.kind)).toEqual(['delay'])
    now = 1800
    expect(faults.find('delay', { connectionNumber: 1, device: undefined })).toBeUndefined()
  })

  test('an ending kind stands only with a limit; a failure stands without one', () => {
    const faults = new Faults(() => 0)
    faults.add(faultRequest.parse({ kind: 'drop', target: { all: true } }))
    expect(faults.list()).toEqual([])
    faults.add(faultRequest.parse({ kind: 'drop', count: 2, target: { all: true } }))
    faults.add(faultRequest.parse({ kind: 'failure', reason: 503, target: { all: true } }))
    expect(faults.list().map(({ request }) => request.kind)).toEqual(['drop', 'failure'])
  })
})

describe('frames', () => {
  const payloads = [Buffer.from('one'), Buffer.alloc(7_000, 7), Buffer.alloc(0)]
  const routing = Buffer.from([0x45, 0x44, 0, 1, 0, 0, 5, 9, 9, 9, 9, 9])

  test.each([
    ['after the intro', [CLIENT_INTRO]],
    ['after routing info and the intro', [routing, CLIENT_INTRO]],
  ])('are cut from the stream %s, whatever pieces it comes in', (_, intro) => {
    const stream = Buffer.concat([...intro, ...payloads.map(frame)])
    for (const size of [1, 2, 5, 4096, stream.length]) {
      const reader = new FrameReader()
      const frames: Buffer[] = []
      for (let start = 0; start < stream.length; start += size) {
        reader.push(stream.subarray(start, start + size))
        for (let next = reader.next(); next; next = reader.next()) frames.push(next)
      }
      expect(Buffer.concat(frames).equals(Buffer.concat(payloads))).toBe(true)
      expect(frames).toHaveLength(payloads.length)
    }
  })

  test('another protocol is refused at its first bytes', () => {
    const reader = new FrameReader()
    reader.push(Buffer.from('GET / HTTP/1.1'))
    expect(() => reader.next()).toThrow('intro')
  })
})

describe('the prekey pool', () => {
  const key = (fill: number) => Buffer.alloc(32, fill)

  test('gives each key once, oldest first, and survives being written', () => {
    const pool = new PreKeyPool()
    pool.add([
      [1, key(1)],
      [2, key(2)],
    ])
    expect(pool.take()).toEqual({ keyId: 1, publicKey: key(1) })
    pool.add([
      [2, key(2)],
      [3, key(3)],
    ])
    const restored = new PreKeyPool(JSON.parse(JSON.stringify(pool.record())))
    expect(restored.size).toBe(2)
    expect([restored.take(), restored.take(), restored.take()]).toEqual([
      { keyId: 2, publicKey: key(2) },
      { keyId: 3, publicKey: key(3) },
      undefined,
    ])
  })
})
