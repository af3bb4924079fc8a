import type { Breakages } from './breakages.ts'
import type { Cloud } from './cloud.ts'
import type { Platform } from './platform.ts'
import { type Climate, calm, services, type Weather } from './weather.ts'
import type { Device, WhatsApp } from './whatsapp/server.ts'
import type { Chance, World } from './world.ts'

export interface FaultTargets {
  readonly world: World
  readonly chance: Chance
  readonly weather: Weather
  readonly platform: Platform
  readonly cloud: Cloud
  readonly whatsapp: WhatsApp
  readonly breakages: Breakages
}

/** What can go wrong, and what people do at a bad moment. Each returns what it did, or undefined where there was nothing to do. */
const kinds = {
  crash: ({ chance, platform }) => {
    const worker = chance.pick(platform.workers)
    if (worker !== undefined) platform.crash(worker, chance.happens(0.7))
  },
  crashBetweenAwaits: ({ chance, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const seen = chance.happens(0.7)
    const halfCalls = chance.whole(1, chance.happens(0.5) ? 12 : 150)
    world.log('fault', `${worker.workerId} will crash after ${halfCalls / 2} calls`)
    worker.process.crashAtCall(halfCalls, () => platform.crash(worker, seen))
  },
  crashAtOpening: ({ chance, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const seen = chance.happens(0.7)
    world.log('fault', `${worker.workerId} will crash at the next connection that it opens`)
    worker.process.crashAtOpening(chance.between(0, 60), () => platform.crash(worker, seen))
  },
  pause: ({ chance, platform, world, breakages, cloud }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined || worker.process.standsStill) return
    const kind = chance.pick(['stopped', 'suspended'] as const) ?? 'stopped'
    const forMs = chance.between(100, chance.happens(0.5) ? 8_000 : 40_000)
    const timersFirst = chance.happens(0.5)
    world.log('fault', `${worker.workerId} is ${kind} for ${Math.round(forMs)} ms`)
    worker.process.standStill(kind)
    if (breakages.guessesDeaths) world.after(1_000, () => cloud.stopped(worker.workerId))
    world.after(forMs, () => {
      if (!worker.process.alive) return
      world.log('fault', `${worker.workerId} goes on`)
      worker.process.goOn(timersFirst)
    })
  },
  block: ({ chance, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const forMs = chance.between(100, chance.happens(0.5) ? 4_000 : 30_000)
    const timersFirst = chance.happens(0.5)
    world.log('fault', `the main thread of ${worker.workerId} computes for ${Math.round(forMs)} ms`)
    worker.process.main.block()
    world.after(forMs, () => worker.process.main.unblock(timersFirst))
  },
  setClock: ({ chance, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const byMs = Math.round(chance.between(-30_000, 30_000))
    world.log('fault', `the wall clock of ${worker.workerId} is set by ${byMs} ms`)
    worker.process.setWallClock(byMs)
  },
  storm: ({ chance, weather, platform, world }) => {
    const service = chance.pick(services)
    if (service === undefined) return
    const process = chance.happens(0.5) ? chance.pick(platform.workers)?.workerId : undefined
    const forMs = chance.between(2_000, 25_000)
    const strength = chance.pick([0.05, 0.2, 0.5, 1]) ?? 0.2
    const where = process === undefined ? service : `${service} of ${process}`
    world.log('fault', `storm over ${where} for ${Math.round(forMs)} ms, strength ${strength}`)
    weather.set(service, stormy(chance, strength), process)
    world.after(forMs, () => weather.set(service, calm, process))
  },
  indexLate: ({ chance, weather, world }) => {
    const forMs = chance.between(2_000, 25_000)
    weather.indexLagMsMax = chance.between(2_000, 25_000)
    world.log('fault', `the index of waiting sends is up to ${Math.round(weather.indexLagMsMax)} ms late`)
    world.after(forMs, () => {
      weather.indexLagMsMax = 2_000
    })
  },
  cutOff: ({ chance, weather, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const forMs = chance.between(1_000, 30_000)
    world.log('fault', `${worker.workerId} reaches no service for ${Math.round(forMs)} ms`)
    weather.cutOff(worker.workerId, true)
    world.after(forMs, () => weather.cutOff(worker.workerId, false))
  },
  slowThenGone: ({ chance, weather, platform, world }) => {
    const worker = chance.pick(platform.workers)
    if (worker === undefined) return
    const slowForMs = chance.between(3_000, 8_000)
    const goneForMs = chance.between(8_000, 15_000)
    world.log('fault', `${worker.workerId} hears late of the fleet for ${Math.round(slowForMs)} ms, and then nothing`)
    weather.set('fleet', { ...calm, answersLate: 1 }, worker.workerId)
    world.after(slowForMs, () => weather.set('fleet', { ...calm, lost: 1 }, worker.workerId))
    world.after(slowForMs + goneForMs, () => weather.set('fleet', calm, worker.workerId))
  },
  deploy: ({ platform }) => platform.deploy(),
  hurry: ({ chance, platform, world }) => {
    const worker = chance.pick(platform.workers.filter(({ stopping }) => stopping))
    if (worker === undefined) return
    world.log('fault', `${worker.workerId} is asked to stop once more`)
    worker.askToStop()
  },
  outage: ({ chance, whatsapp, world }) => {
    if (whatsapp.service !== 'up') return
    const forMs = chance.between(3_000, 90_000)
    inflictOutage({ chance, whatsapp, world }, chance.happens(0.7))
    world.log('fault', `for ${Math.round(forMs)} ms`)
    world.after(forMs, () => {
      whatsapp.service = 'up'
    })
  },
  deviceTrouble: ({ chance, whatsapp, world }) => {
    const device = anyDevice(chance, whatsapp)
    if (device === undefined) return
    const forMs = chance.between(1_000, 60_000)
    device.service = chance.pick(['refusing', 'silent', { failure: 405 }, { failure: 503 }] as const) ?? 'silent'
    world.log('fault', `${device.ref.connectionId} is ${JSON.stringify(device.service)} for ${Math.round(forMs)} ms`)
    whatsapp.drop(device, { kind: 'end', statusCode: 428 })
    world.after(forMs, () => {
      device.service = 'up'
    })
  },
  drop: ({ chance, whatsapp, world }) => {
    const device = anyDevice(chance, whatsapp)
    if (device === undefined) return
    const statusCode = chance.pick([408, 428, 500, 503, 515, 516]) ?? 428
    world.log('fault', `WhatsApp ends ${device.ref.connectionId} with ${statusCode}`)
    whatsapp.drop(device, { kind: 'end', statusCode })
  },
  replace: ({ chance, whatsapp, world }) => {
    const device = anyDevice(chance, whatsapp)
    if (device === undefined) return
    world.log('fault', `another session replaces ${device.ref.connectionId}`)
    whatsapp.drop(device, { kind: 'end', statusCode: 440, conflict: 'replaced' })
  },
  cut: ({ chance, whatsapp, world }) => {
    const device = anyDevice(chance, whatsapp)
    if (device === undefined) return
    const noticed = chance.happens(0.5)
    world.log('fault', `the network breaks ${device.ref.connectionId}${noticed ? '' : ', unnoticed'}`)
    whatsapp.cut(device, noticed)
  },
  loseAcks: ({ chance, whatsapp, world }) => {
    whatsapp.acksLost = chance.between(0.1, 1)
    world.log('fault', 'WhatsApp loses acks')
    world.after(chance.between(2_000, 20_000), () => {
      whatsapp.acksLost = 0
    })
  },
  refuseSends: ({ chance, whatsapp, world }) => {
    const device = anyDevice(chance, whatsapp)
    if (device === undefined) return
    device.refusesWith = chance.pick(['463', '479'])
    world.log('fault', `WhatsApp refuses sends of ${device.ref.connectionId} with ${device.refusesWith}`)
    world.after(chance.between(1_000, 10_000), () => {
      device.refusesWith = undefined
    })
  },
  functionsFail: ({ chance, cloud, world }) => {
    cloud.trouble = chance.between(0.05, 0.4)
    world.log('fault', 'functions fail')
    world.after(chance.between(5_000, 30_000), () => {
      cloud.trouble = 0
    })
  },
  unlink: ({ chance, whatsapp }) => {
    const device = chance.happens(0.2) ? anyDevice(chance, whatsapp) : undefined
    if (device !== undefined) whatsapp.unlink(device)
  },
  command: ({ chance, cloud, whatsapp }) => {
    const device = anyDevice(chance, whatsapp)
    const kind = chance.happens(0.75) ? 'restart' : chance.happens(0.6) ? 'logout' : 'delete'
    if (device !== undefined) cloud.command(device.ref, kind)
  },
  pairAgain: ({ chance, cloud, whatsapp }) => {
    const unlinked = [...whatsapp.devices.values()].filter(({ identity }) => identity === undefined)
    const device = chance.pick(unlinked)
    if (device !== undefined) cloud.command(device.ref, 'pair')
  },
} satisfies Record<string, (targets: FaultTargets) => void>

export type FaultKind = keyof typeof kinds
export const faultKinds = Object.keys(kinds) as readonly FaultKind[]

export function inflict(kind: FaultKind, targets: FaultTargets): void {
  kinds[kind](targets)
}

/** Until `service` is `up` again: new connections fail in one way or other; where it drops, the open ones end. */
export function inflictOutage(
  { chance, whatsapp, world }: Pick<FaultTargets, 'chance' | 'whatsapp' | 'world'>,
  drops: boolean,
): void {
  whatsapp.service = chance.pick(['refusing', 'silent', { failure: 503 }, { failure: 500 }] as const) ?? 'silent'
  world.log('fault', `WhatsApp is ${JSON.stringify(whatsapp.service)}`)
  if (!drops) return
  for (const device of whatsapp.devices.values()) whatsapp.drop(device, { kind: 'end', statusCode: 503 })
}

/** Ends everything that lasts. */
export function heal({ weather, whatsapp, cloud, platform }: FaultTargets): void {
  weather.clear()
  cloud.trouble = 0
  whatsapp.service = 'up'
  whatsapp.acksLost = 0
  for (const device of whatsapp.devices.values()) {
    device.service = 'up'
    device.refusesWith = undefined
  }
  for (const { process } of platform.workers) {
    process.crashAtCall(Number.POSITIVE_INFINITY, () => undefined)
    process.crashAtOpening(0, undefined)
    process.main.unblock(true)
    process.goOn(true)
  }
}

function stormy(chance: Chance, strength: number): Climate {
  const share = () => (strength * chance.next()) / 3
  return {
    lost: share(),
    unanswered: share(),
    late: share(),
    repeated: share(),
    refused: share(),
    answersLate: share(),
    slow: strength * chance.next(),
  }
}

function anyDevice(chance: Chance, whatsapp: WhatsApp): Device | undefined {
  return chance.pick([...whatsapp.devices.values()].filter(({ identity }) => identity !== undefined))
}
