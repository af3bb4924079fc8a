/** What there is to play with: a business profile with its API key, made through the admin API as anybody would, and two phones. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Demo {
  readonly businessProfileId: string
  readonly apiKey: string
}

export async function demoProfile(stateDir: string, httpUrl: string, adminApiKey: string): Promise<Demo> {
  const file = join(stateDir, 'demo.json')
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Demo) : undefined
  if (kept !== undefined && (await works(httpUrl, kept.apiKey))) return kept
  const profile = await post(`${httpUrl}/admin/business-profiles`, adminApiKey, { name: 'Demo' })
  const businessProfileId = field(profile, 'businessProfileId')
  const key = await post(`${httpUrl}/admin/business-profiles/${businessProfileId}/api-keys`, adminApiKey, {})
  const demo: Demo = { businessProfileId, apiKey: field(key, 'apiKey') }
  writeFileSync(file, JSON.stringify(demo, undefined, 2), { mode: 0o600 })
  return demo
}

/** The phone that links its device, and one to write to. */
export const DEMO_PHONES = { business: '+94714515253', customer: '+94770000001' } as const
/** What people see in place of bare numbers. */
const names = { business: 'Tea shop', customer: 'Customer' } as const

/** Both exist in the simulated WhatsApp from here on; one that is there already stays as it is. */
export async function demoPhones(simulatorUrl: string): Promise<void> {
  for (const who of ['business', 'customer'] as const) {
    const phoneNumber = DEMO_PHONES[who]
    const answer = await fetch(`${simulatorUrl}/phones`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ phoneNumber, name: names[who] }),
    })
    const text = await answer.text()
    if (!answer.ok)
      throw new Error(
        `The simulated phone ${phoneNumber} could not be made: POST /phones answered ${answer.status} ${text}`,
      )
  }
}

async function works(httpUrl: string, apiKey: string): Promise<boolean> {
  const answer = await fetch(`${httpUrl}/connections`, { headers: { 'x-api-key': apiKey } })
  await answer.arrayBuffer()
  return answer.ok
}

async function post(url: string, adminApiKey: string, body: object): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'x-api-key': adminApiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok)
    throw new Error(
      `The demo business profile could not be made: POST ${new URL(url).pathname} answered ${answer.status} ${text}`,
    )
  return JSON.parse(text) as Readonly<Record<string, unknown>>
}

function field(answer: Readonly<Record<string, unknown>>, name: string): string {
  const value = answer[name]
  if (typeof value !== 'string')
    throw new Error(`The demo business profile could not be made: the answer has no ${name}`)
  return value
}
