import { exampleOf } from '../../../shared/api/examples.ts'
import { openApiDocument } from '../../../shared/api/openapi.ts'
import { type RouteContract, routeList } from '../../../shared/api/routes.ts'
import { type Answer, type Rest, rest } from '../callers.ts'
import type { Tenant } from './tenant.ts'

/** Ids in paths that are nobody's: they name somebody, or something at WhatsApp, and stand behind a connection's. */
const nobodys: Readonly<Record<string, string>> = { contact: '+4915112345678', groupId: '120363000000000000' }

const tenantRoutes = routeList.filter(({ auth }) => auth === 'tenant')
const namesIn = ({ path }: RouteContract): readonly string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name))

/** A call of the route with the ids of a tenant; throws where the walk has none. */
export function pathWith(route: RouteContract, { ids }: Pick<Tenant, 'ids'>): string {
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name] ?? nobodys[name]
    if (id === undefined) throw new Error(`${route.operationId}: the walk of tenants knows no {${name}}`)
    return encodeURIComponent(id)
  })
}

const document = openApiDocument() as {
  paths: Record<string, Record<string, unknown>>
  components: { schemas: Record<string, unknown> }
}

/** A body that passes, so that the answer is about whose it is and not about its form. */
function bodyOf({ path, method, body }: RouteContract, { ids }: Tenant): unknown {
  if (body === undefined) return undefined
  const operation = document.paths[path]?.[method.toLowerCase()] as {
    requestBody: { content: { 'application/json': { schema: unknown; example?: unknown } } }
  }
  const { schema, example } = operation.requestBody.content['application/json']
  const known = example ?? exampleOf(schema, (name) => document.components.schemas[name.slice(21)])
  const named = Object.keys((known ?? {}) as object)
  return { ...(known as object), ...(named.includes('connectionId') ? { connectionId: ids.connectionId } : {}) }
}

const bodies: Readonly<Record<string, (owner: Tenant) => unknown>> = {
  sendMessage: () => ({ to: '+4915112345678', type: 'text', text: { body: 'x' } }),
  updateConnection: () => ({ label: 'taken over' }),
  updateWebhook: () => ({ label: 'taken over' }),
  updateGroup: () => ({ subject: 'taken over' }),
  setGroupPicture: () => ({ jpeg: '/9j/4AAQSkZJRgABAQAAAQABAAD/' }),
  startErasure: ({ ids }) => ({ contact: '+4915112345678', connectionId: ids.connectionId }),
}

export interface Step {
  readonly operationId: string
  readonly path: string
  readonly answer: Answer
}

function call(caller: Rest, route: RouteContract, path: string, owner: Tenant): Promise<Answer> {
  const body = (bodies[route.operationId] ?? ((of) => bodyOf(route, of)))(owner)
  const headers = { prefer: 'respond-async', ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  return caller.raw(route.method, path, body === undefined ? undefined : JSON.stringify(body), headers)
}

/** Every route that names something, with the owner's ids and a stranger's key. */
export async function walkIds(owner: Tenant, stranger: Rest): Promise<readonly Step[]> {
  const steps: Step[] = []
  for (const route of tenantRoutes) {
    const named = namesIn(route).length > 0 || route.operationId === 'startErasure'
    if (!named) continue
    const path = pathWith(route, owner)
    steps.push({ operationId: route.operationId, path, answer: await call(stranger, route, path, owner) })
  }
  return steps
}

/** What of these answers a stranger should not have had. */
export function leaksIn(steps: readonly Step[], owner: Tenant): readonly string[] {
  return steps.flatMap(({ operationId, path, answer: { status, body, headers } }) => {
    const text = JSON.stringify([body, [...headers]])
    const said = decodeURIComponent(path)
    const shown = owner.allIds.filter((id) => text.includes(id) && !said.includes(id))
    // A medium that is not there counts as deleted; that it still is there is looked at afterwards.
    const refused = operationId === 'deleteMedia' ? status === 204 : status === 404 && /_not_found$/.test(body.code)
    return [
      ...(refused ? [] : [`${operationId}: ${status} ${text}`]),
      ...(text.includes(owner.mark) || shown.length > 0 ? [`${operationId} shows ${shown} ${text}`] : []),
    ]
  })
}

/** Every list, as the stranger sees it: from the beginning, and from where the owner's second page begins. */
export async function walkLists(owner: Tenant, stranger: Tenant): Promise<readonly string[]> {
  const found: string[] = []
  const shows = (operationId: string, how: string, { status, body }: Answer): void => {
    const text = JSON.stringify(body)
    const shown = [owner.mark, ...owner.allIds].filter((mine) => text.includes(mine))
    if (status !== 200 || shown.length > 0) found.push(`${operationId} ${how}: ${status} ${text}`)
  }
  for (const route of tenantRoutes) {
    if (route.method !== 'GET') continue
    const own = pathWith(route, stranger)
    const unnamed = namesIn(route).length === 0
    if (unnamed) shows(route.operationId, 'from its beginning', await stranger.rest.get(own))
    if (!('next' in route.query.shape)) continue
    const first = await owner.rest.get(`${pathWith(route, owner)}?limit=1`)
    const { next } = first.body
    if (first.status !== 200 || next === undefined) {
      throw new Error(`${route.operationId}: expected a second page, got ${first.status} ${JSON.stringify(first.body)}`)
    }
    const stolen = await stranger.rest.get(`${own}?limit=100&next=${encodeURIComponent(next)}`)
    // A cursor may say that it is none of this list's: nothing is shown then, either.
    if (stolen.status !== 400) shows(route.operationId, "with the owner's cursor", stolen)
  }
  return found
}

/** Admin routes, with a tenant's key and with none. */
export async function walkAdmin(owner: Tenant, stranger: Tenant, baseUrl: string): Promise<readonly string[]> {
  const nobody = rest(baseUrl)
  const found: string[] = []
  for (const route of routeList.filter(({ auth }) => auth === 'admin')) {
    const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      name === 'businessProfileId' ? owner.businessProfileId : (owner.ids[name] ?? 'sends'),
    )
    for (const [caller, status] of [
      [stranger.rest, 403],
      [nobody, 401],
    ] as const) {
      const answer = await caller.raw(route.method, path, undefined, {})
      if (answer.status !== status) found.push(`${route.operationId}: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
  }
  return found
}

/** All that the owner sees of its own, but for what calls themselves leave there. */
export async function ownView(owner: Tenant): Promise<string> {
  const views: unknown[] = []
  for (const route of tenantRoutes) {
    const passing = ['listAudit', 'listOwnApiKeys', 'getMessageMedia', 'getConnectionQr', 'listErasures', 'getErasure']
    if (route.method !== 'GET' || route.function === 'operations' || passing.includes(route.operationId)) continue
    const { status, body } = await owner.rest.get(pathWith(route, owner))
    // An address is made anew each time.
    const { download: _, ...rest } = body
    views.push([route.operationId, status, rest])
  }
  return JSON.stringify(views)
}
