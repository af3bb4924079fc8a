import type { WebSocket } from 'ws'
import type { AuthState, Holding } from '../ports.ts'

export interface GatedState extends Pick<AuthState, 'durable'> {
  /** Everything changed so far is durable. */
  readonly clean: boolean
}

export interface EgressGate {
  /** Nothing passes any more; what waits is dropped. */
  stop(): void
  /** Resolves when every frame that came so far has passed; rejects where one of them never will. */
  passed(): Promise<void>
  /** Resolves when nothing waits. */
  drained(): Promise<void>
}

interface Frame {
  readonly data: Parameters<WebSocket['send']>[0]
  written: (error?: Error) => void
}

const nobody = (): void => undefined

/**
 * No frame leaves the socket before all state that was changed before it is durable, nor without the right to act. Frames are
 * numbered and encrypted already, so their order must hold: a frame that waits holds up those behind it. Who sent one that waits
 * is told at once that it is written: Baileys makes the next message of an account only then, and those that are made while
 * an append is under way share the next one. Whoever must know asks `passed`. `refused` is called, once, when the gate can't
 * let anything pass any more; it must end the socket.
 */
export function gateEgress(
  socket: WebSocket,
  state: GatedState,
  holding: Pick<Holding, 'held'>,
  refused: (why: string) => void,
): EgressGate {
  const write = socket.send.bind(socket) as (data: Frame['data'], written: (error?: Error) => void) => void
  const pong = socket.pong.bind(socket)
  const waiting: Frame[] = []
  let stopped = false
  let running: Promise<void> | undefined

  const stop = (): void => {
    stopped = true
    for (const frame of waiting.splice(0)) frame.written(new Error('the socket was ended'))
  }
  const refuse = (why: string): void => {
    if (stopped) return
    stop()
    refused(why)
  }
  const pass = (frame: Frame): void => {
    if (stopped) frame.written(new Error('the socket was ended'))
    else if (holding.held()) write(frame.data, frame.written)
    else {
      refuse('the right to act for this connection is over')
      frame.written(new Error('the socket was ended'))
    }
  }
  const letPass = async (): Promise<void> => {
    while (waiting.length > 0 && !stopped) {
      // Frames that come while this waits may rest on later changes: they wait for the next round.
      const count = waiting.length
      try {
        await state.durable()
      } catch (error) {
        refuse(error instanceof Error ? error.message : String(error))
        return
      }
      for (const frame of waiting.splice(0, count)) pass(frame)
    }
  }

  socket.send = ((data: Frame['data'], ...rest: unknown[]) => {
    const callback = rest.find((item) => typeof item === 'function') as Frame['written'] | undefined
    const frame: Frame = { data, written: (error) => callback?.(error) }
    if (waiting.length === 0 && running === undefined && state.clean) {
      pass(frame)
      return
    }
    if (stopped) {
      frame.written(new Error('the socket was ended'))
      return
    }
    waiting.push({ data, written: nobody })
    process.nextTick(frame.written)
    running ??= letPass().finally(() => {
      running = undefined
    })
  }) as WebSocket['send']

  // `ws` answers the server's pings by itself.
  socket.pong = ((...rest: Parameters<WebSocket['pong']>) => {
    if (stopped) return
    if (holding.held()) pong(...rest)
    else refuse('the right to act for this connection is over')
  }) as WebSocket['pong']

  return {
    stop,
    passed() {
      const last = waiting.at(-1)
      if (last === undefined) return stopped ? Promise.reject(new Error('the socket was ended')) : Promise.resolve()
      return new Promise((resolve, reject) => {
        const { written } = last
        last.written = (error) => {
          written(error)
          // `ws` says null where there is none.
          if (!error) resolve()
          else reject(error)
        }
      })
    },
    async drained() {
      while (running !== undefined) await running
    },
  }
}
