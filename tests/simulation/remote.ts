import type { Thread } from './process.ts'
import type { Fate, Service, Weather } from './weather.ts'
import type { World } from './world.ts'

/** Told of what a process does to a service. */
export interface CallWatcher {
  /** The process makes the call. */
  called(thread: Thread, service: Service, method: string, args: readonly unknown[]): void
  /** The service did it; `failed` where it threw. */
  done(thread: Thread, service: Service, method: string, args: readonly unknown[], outcome: unknown): void
}

/** How long a caller waits for an answer, on its own clock. */
const renewalPatienceMs = 8_000
const patienceMs: Readonly<Record<Service, number>> = {
  fleet: 2_500,
  connections: 4_000,
  messages: 4_000,
  auth: 4_000,
  doorbells: 8_000,
}

/**
 * A service as a thread of a process reaches it: every call travels, may get lost on either way, arrive late or twice, and ends
 * with its answer or with the caller's patience. What a dead process asked for is still done; nobody hears of it.
 */
export function remote<T extends object>(
  world: World,
  weather: Weather,
  watcher: CallWatcher,
  thread: Thread,
  service: Service,
  target: T,
): T {
  return new Proxy(target, {
    get: (object, name) => {
      const member = Reflect.get(object, name) as unknown
      if (typeof member !== 'function' || typeof name !== 'string') return member
      return (...args: unknown[]) =>
        call(world, weather, watcher, thread, service, name, args, () => Reflect.apply(member, object, args))
    },
  })
}

function call(
  world: World,
  weather: Weather,
  watcher: CallWatcher,
  thread: Thread,
  service: Service,
  method: string,
  args: readonly unknown[],
  act: () => Promise<unknown>,
): Promise<unknown> {
  const { process } = thread
  if (!process.leaving()) return never()
  watcher.called(thread, service, method, args)
  const fate: Fate = weather.fate(service, process.name)
  return new Promise((resolve, reject) => {
    let over = false
    const answer = (give: () => void) => {
      if (over || fate.answerMs === undefined) return
      world.after(fate.answerMs, () =>
        thread.deliver(() => {
          if (over) return
          over = true
          patience.cancel()
          give()
        }),
      )
    }
    const waitMs = method === 'renew' ? renewalPatienceMs : patienceMs[service]
    const patience = thread.clock.after(waitMs, () => {
      if (over) return
      over = true
      reject(new Error(`no answer to ${service}.${method}`))
    })
    const arrive = (last: boolean) => {
      if (fate.refused) {
        answer(() => reject(new Error(`${service} is not available: ${method}`)))
        return
      }
      act().then(
        (outcome) => {
          watcher.done(thread, service, method, args, outcome)
          if (last) answer(() => resolve(outcome))
        },
        (error: unknown) => {
          if (last) answer(() => reject(error))
        },
      )
    }
    if (fate.arrivesAfterMs === undefined) return
    const last = fate.repeatedAfterMs ?? fate.arrivesAfterMs
    if (last !== fate.arrivesAfterMs) world.after(fate.arrivesAfterMs, () => arrive(false))
    world.after(last, () => {
      if (process.alive) arrive(true)
      else world.after(weather.lingersMs(), () => arrive(true))
    })
    process.left()
  })
}

export function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}
