/** Control of phones and of their linked devices. */

import { z } from 'zod'
import { type Answer, type Handler, Problem, type Request, type Route, route } from './control-http.ts'
import {
  defined,
  newPhone,
  pairingCode,
  parse,
  phoneNumber,
  phoneSettings,
  scan,
  shownDevices,
  shownPhone,
} from './control-requests.ts'
import type { Account } from './directory.ts'
import { setAccountPicture } from './pictures.ts'
import type { Simulator } from './simulator.ts'
import { reinstall, unlink } from './unlinking.ts'

const PAIRING_TIMEOUT_MS = 30_000

const profileChange = z.strictObject({
  about: z.string().optional(),
  /** In base64; null takes it away. */
  picture: z.base64().nullable().optional(),
  disappearingSeconds: z.int().min(0).optional(),
  privacy: z.record(z.string(), z.string()).optional(),
  block: z.array(phoneNumber).optional(),
  unblock: z.array(phoneNumber).optional(),
})

const presenceChange = z.union([
  z.strictObject({ state: z.enum(['available', 'unavailable']) }),
  z.strictObject({ state: z.enum(['composing', 'recording', 'paused']), to: z.string() }),
])

/** The account that the path names; throws the problem that says how to make it. */
export function accountNamed({ directory }: Simulator, number: string | undefined): Account {
  const account = directory.account((number ?? '').replaceAll(/\D/g, ''))
  if (!account) throw new Problem(404, 'phone_unknown', `there is no phone ${number}; create it with POST /phones`)
  return account
}

/** A handler for paths that begin with `/phones/:number`. */
export function onPhone(
  simulator: Simulator,
  handle: (account: Account, request: Request) => Answer | Promise<Answer>,
): Handler {
  return (request) => handle(accountNamed(simulator, request.path[0]), request)
}

export function phoneRoutes(simulator: Simulator): Route[] {
  const { directory, pairing, presence } = simulator
  const phone = (
    method: string,
    path: string,
    handle: (account: Account, request: Request) => Answer | Promise<Answer>,
  ): Route => route(method, `/phones/:number${path}`, onPhone(simulator, handle))
  return [
    route('POST', '/phones', ({ body }) => {
      const { phoneNumber: number, ...chosen } = parse(newPhone, body)
      const known = directory.account(number) !== undefined
      return { status: known ? 200 : 201, body: shownPhone(directory.createPhone(number, defined(chosen))) }
    }),
    route('GET', '/phones', () => ({ status: 200, body: { phones: [...directory.accounts()].map(shownPhone) } })),
    phone('GET', '', (account) => ({ status: 200, body: shownPhone(account) })),
    phone('PATCH', '', (account, { body }) => {
      account.phone.change(defined(parse(phoneSettings, body)))
      return { status: 200, body: shownPhone(account) }
    }),
    phone('POST', '/scan', async (account, { body, signal }) => {
      const device = await withTimeout(pairing.scan(account, parse(scan, body).qr), signal)
      return { status: 200, body: { device: device.key } }
    }),
    phone('POST', '/pairing-code', async (account, { body, signal }) => {
      const device = await withTimeout(pairing.enterCode(account, parse(pairingCode, body).code), signal)
      return { status: 200, body: { device: device.key } }
    }),
    phone('GET', '/devices', (account) => ({ status: 200, body: { devices: shownDevices(account) } })),
    phone('DELETE', '/devices/:device', async (account, { path }) => {
      const device = account.companions.get(Number(path[1]?.split(':').at(-1)))
      if (!device) throw new Problem(404, 'device_unknown', `the phone has no linked device ${path[1]}`)
      unlink(simulator, device, 'phone')
      await simulator.store.flush()
      return { status: 204 }
    }),
    phone('POST', '/reinstall', async (account) => {
      reinstall(simulator, account)
      await simulator.store.flush()
      return { status: 200, body: shownPhone(account) }
    }),
    phone('DELETE', '/sessions/:peer', (account, { path }) => {
      const group = simulator.groups.get(path[1])
      if (group) account.phone.keys.senderKeys.forget(group.id)
      else account.phone.signal.forgetSessions(accountNamed(simulator, path[1]).phoneNumber)
      return { status: 204 }
    }),
    phone('GET', '/profile', (account) => ({ status: 200, body: shownProfile(account) })),
    phone('PATCH', '/profile', async (account, { body }) => {
      await changeProfile(simulator, account, parse(profileChange, body))
      return { status: 200, body: shownProfile(account) }
    }),
    phone('GET', '/presence', ({ phoneNumber: number }) => ({ status: 200, body: presence.report(number) })),
    phone('POST', '/presence', (account, { body }) => {
      const wanted = parse(presenceChange, body)
      const address = { phoneNumber: account.phoneNumber, device: 0 }
      if ('to' in wanted) {
        const chat = simulator.groups.get(wanted.to) ?? accountNamed(simulator, wanted.to)
        presence.type(address, chat, wanted.state)
      } else presence.setAvailability(address, wanted.state)
      return { status: 204 }
    }),
  ]
}

async function changeProfile(
  simulator: Simulator,
  account: Account,
  change: z.infer<typeof profileChange>,
): Promise<void> {
  const { profile } = account
  const { about, picture, disappearingSeconds, privacy, block, unblock } = change
  const seconds = Math.floor(simulator.now() / 1000)
  if (about !== undefined) profile.change({ about, aboutAt: seconds })
  if (disappearingSeconds !== undefined) profile.change({ disappearingSeconds, disappearingAt: seconds })
  for (const [name, value] of Object.entries(privacy ?? {})) profile.setPrivacy(name, value)
  for (const number of block ?? []) profile.setBlocked(number, true)
  for (const number of unblock ?? []) profile.setBlocked(number, false)
  if (picture !== undefined) {
    await setAccountPicture(simulator, account, picture === null ? undefined : Buffer.from(picture, 'base64'))
  }
}

function shownProfile({ profile }: Account) {
  const { pictureMedium: _, ...shown } = profile.record()
  return shown
}

/** A client that never answers must not keep the caller for ever. */
async function withTimeout<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(PAIRING_TIMEOUT_MS)])
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const late = (): void => reject(new Problem(504, 'client_silent', 'the client did not answer in time'))
      if (ended.aborted) late()
      else ended.addEventListener('abort', late)
    }),
  ])
}
