import { describe, expect, test } from 'vitest'
import { exitCodes, Shutdown, type ShutdownSteps } from '../../../connector/worker/shutdown.ts'
import { quietLog } from '../fleet/scenario.ts'
import { rest, VirtualClock } from '../virtual-clock.ts'

function scene(change: Partial<ShutdownSteps> = {}) {
  const clock = new VirtualClock()
  const did: string[] = []
  const handOver = Promise.withResolvers<void>()
  const steps: ShutdownSteps = {
    clock,
    log: quietLog,
    stopTimeoutMs: 120_000,
    prepare: () => did.push('prepare'),
    handOver: (withinMs) => {
      did.push(`hand over within ${withinMs}`)
      return handOver.promise
    },
    terminate: () => did.push('terminate'),
    signOff: async () => {
      did.push('sign off')
    },
    exit: (code) => did.push(`exit ${code}`),
    ...change,
  }
  return { clock, did, handOver, shutdown: new Shutdown(steps) }
}

describe('ending the process', () => {
  test('asked to stop, it hands over within what the stop timeout leaves, signs off, and exits with 0', async () => {
    const { did, handOver, shutdown } = scene()
    shutdown.signal('SIGTERM')
    await rest()
    expect(did).toEqual(['prepare', 'hand over within 110000'])
    handOver.resolve()
    await rest()
    expect(did.slice(2)).toEqual(['terminate', 'sign off', 'exit 0'])
  })

  test('asked a second time it ends at once, sockets first', async () => {
    const { did, shutdown } = scene()
    shutdown.signal('SIGTERM')
    await rest()
    shutdown.signal('SIGINT')
    expect(did.at(-2)).toBe('terminate')
    await rest()
    expect(did.at(-1)).toBe(`exit ${exitCodes.interrupted}`)
  })

  test('when a part fails the sockets are closed before anything is awaited, and the code is not 0', async () => {
    const { did, shutdown } = scene()
    shutdown.fail('the lease', new Error('dead'), exitCodes.dead)
    expect(did[0]).toBe('terminate')
    await rest()
    expect(did).toEqual(['terminate', 'sign off', 'exit 75'])
  })

  test('failing again, or being asked to stop meanwhile, changes nothing', async () => {
    const { did, shutdown } = scene()
    shutdown.fail('one part', new Error('x'))
    shutdown.fail('another', new Error('y'))
    await rest()
    expect(did.filter((step) => step.startsWith('exit'))).toEqual(['exit 70'])
  })

  test('a sign-off that hangs does not keep the process', async () => {
    const { clock, did, shutdown } = scene({ signOff: () => new Promise(() => {}) })
    shutdown.fail('a part', new Error('x'))
    await clock.passTime(3_000)
    expect(did.at(-1)).toBe('exit 70')
  })

  test('nobody is told that the sockets are closed when closing them failed', async () => {
    const { did, shutdown } = scene({
      terminate: () => {
        throw new Error('a bug')
      },
    })
    shutdown.fail('a part', new Error('x'))
    await rest()
    expect(did).toEqual(['exit 70'])
  })
})
