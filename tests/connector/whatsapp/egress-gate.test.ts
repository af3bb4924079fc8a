import { describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { gateEgress } from '../../../connector/whatsapp/egress-gate.ts'

interface Held {
  resolve(): void
  reject(error: Error): void
}

function bench() {
  const written: string[] = []
  const pongs: string[] = []
  const socket = {
    send: (data: string, callback?: (error?: Error) => void) => {
      written.push(data)
      callback?.()
    },
    pong: (data: string) => void pongs.push(data),
  } as unknown as WebSocket
  const waits: Held[] = []
  const state = {
    clean: true,
    durable: () =>
      new Promise<void>((resolve, reject) => {
        waits.push({ resolve, reject })
      }),
  }
  let held = true
  const refusals: string[] = []
  const gate = gateEgress(socket, state, { held: () => held }, (why) => void refusals.push(why))
  const lose = (): void => {
    held = false
  }
  return { socket, written, pongs, waits, state, gate, refusals, lose }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('egress gate', () => {
  it('lets a frame pass at once while all is durable', () => {
    const { socket, written } = bench()
    socket.send('a')
    expect(written).toEqual(['a'])
  })

  it('holds a frame, and all behind it, until what changed before it is durable', async () => {
    const { socket, written, waits, state } = bench()
    state.clean = false
    socket.send('a')
    state.clean = true
    socket.send('b')
    await turn()
    expect(written).toEqual([])
    waits[0]?.resolve()
    await turn()
    // "b" came while the first wait was under way and may rest on a later change.
    expect(written).toEqual(['a'])
    waits[1]?.resolve()
    await turn()
    expect(written).toEqual(['a', 'b'])
    socket.send('c')
    expect(written).toEqual(['a', 'b', 'c'])
  })

  it('writes nothing and says so once the right to act is over', async () => {
    const { socket, written, waits, state, gate, refusals, lose } = bench()
    state.clean = false
    const errors: unknown[] = []
    for (const frame of ['a', 'b']) {
      socket.send(frame)
      gate.passed().catch((error) => void errors.push(error))
    }
    await turn()
    lose()
    waits[0]?.resolve()
    await turn()
    socket.send('c', (error) => void errors.push(error))
    expect(written).toEqual([])
    expect(errors).toHaveLength(3)
    expect(errors.every((error) => error instanceof Error)).toBe(true)
    expect(refusals).toHaveLength(1)
  })

  it('does not answer a ping either, then', () => {
    const { socket, pongs, refusals, lose } = bench()
    socket.pong('1')
    lose()
    socket.pong('2')
    expect(pongs).toEqual(['1'])
    expect(refusals).toHaveLength(1)
  })

  it('ends the socket when the state can’t be made durable any more', async () => {
    const { socket, written, waits, state, refusals } = bench()
    state.clean = false
    socket.send('a')
    await turn()
    waits[0]?.reject(new Error('fenced'))
    await turn()
    expect(written).toEqual([])
    expect(refusals).toEqual(['fenced'])
  })

  it('drops what waits when it is stopped', async () => {
    const { socket, written, waits, state, gate } = bench()
    state.clean = false
    const errors: unknown[] = []
    socket.send('a')
    gate.passed().catch((error) => void errors.push(error))
    gate.stop()
    await turn()
    waits[0]?.resolve()
    await gate.drained()
    expect(written).toEqual([])
    expect(errors).toHaveLength(1)
    await expect(gate.passed()).rejects.toThrow('the socket was ended')
  })

  it('says that a frame is written before it passes, so that the next one is made, and tells who asks when it has', async () => {
    const { socket, written, waits, state, gate } = bench()
    state.clean = false
    const told: string[] = []
    socket.send('a', (error) => void told.push(`a ${error ?? 'taken'}`))
    gate.passed().then(() => void told.push('a passed'))
    await turn()
    expect(told).toEqual(['a taken'])
    socket.send('b', (error) => void told.push(`b ${error ?? 'taken'}`))
    gate.passed().then(() => void told.push('b passed'))
    await turn()
    waits[0]?.resolve()
    await turn()
    expect([written, told]).toEqual([['a'], ['a taken', 'b taken', 'a passed']])
    waits[1]?.resolve()
    await turn()
    expect([written, told.at(-1)]).toEqual([['a', 'b'], 'b passed'])
    state.clean = true
    await gate.passed()
  })
})
