/**
 * Which route of an HTTP API takes a request, by API Gateway's precedence: a full match goes before a greedy one, and that
 * before `$default`; among full matches fixed segments go before variables; for one path its method goes before `ANY`.
 */
import type { HttpRouteSpec } from '../contracts.ts'

export interface RouteMatch {
  readonly route: HttpRouteSpec
  /** Path variables, percent-decoded; a greedy one holds the rest of the path. */
  readonly pathParameters: Readonly<Record<string, string>>
}

export interface HttpRoutes {
  /** `path` is still percent-encoded and begins after the stage. */
  match(method: string, path: string): RouteMatch | undefined
}

type Segment =
  | { readonly kind: 'fixed'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'greedy'; readonly name: string }

interface CompiledRoute {
  readonly route: HttpRouteSpec
  readonly method: string
  readonly segments: readonly Segment[]
}

const segmentOrder: Readonly<Record<Segment['kind'], number>> = { fixed: 0, variable: 1, greedy: 2 }

/** @throws {Error} naming the route whose key is malformed */
export function compileHttpRoutes(routes: readonly HttpRouteSpec[]): HttpRoutes {
  const fallback = routes.find((route) => route.routeKey === '$default')
  const compiled = routes
    .filter((route) => route !== fallback)
    .map(compileRoute)
    .sort(bySpecificity)
  return {
    match(method, path) {
      for (const { route, method: routeMethod, segments } of compiled) {
        if (routeMethod !== 'ANY' && routeMethod !== method) continue
        const pathParameters = matchSegments(segments, path.split('/').slice(1))
        if (pathParameters !== undefined) return { route, pathParameters }
      }
      return fallback === undefined ? undefined : { route: fallback, pathParameters: {} }
    },
  }
}

/** `*` and the path template, as the source ARN of an invocation shows a route: `GET/connections/{id}`, `$default`. */
export function routeArnPath(routeKey: string): string {
  const [method = '', path] = routeKey.split(' ')
  return path === undefined ? routeKey : `${method === 'ANY' ? '*' : method}${path}`
}

function compileRoute(route: HttpRouteSpec): CompiledRoute {
  const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(route.routeKey) ?? []
  if (method === undefined || path === undefined) {
    throw new Error(`route ${route.routeKey}: expected such as "GET /connections/{id}" or $default`)
  }
  return { route, method, segments: path.split('/').slice(1).map(compileSegment) }
}

function compileSegment(text: string): Segment {
  const [, name, plus] = /^\{([^{}+]+)(\+?)\}$/.exec(text) ?? []
  if (name === undefined) return { kind: 'fixed', text }
  return plus === '+' ? { kind: 'greedy', name } : { kind: 'variable', name }
}

/** Leftmost difference decides, so the first match in this order is the most specific one. */
function bySpecificity(a: CompiledRoute, b: CompiledRoute): number {
  const greedy = Number(isGreedy(a)) - Number(isGreedy(b))
  if (greedy !== 0) return greedy
  for (const [index, segment] of a.segments.entries()) {
    const other = b.segments[index]
    if (other === undefined) return -1
    const order = segmentOrder[segment.kind] - segmentOrder[other.kind]
    if (order !== 0) return order
  }
  if (b.segments.length !== a.segments.length) return b.segments.length - a.segments.length
  return Number(a.method === 'ANY') - Number(b.method === 'ANY')
}

function isGreedy(route: CompiledRoute): boolean {
  return route.segments.some((segment) => segment.kind === 'greedy')
}

function matchSegments(
  segments: readonly Segment[],
  parts: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const found: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    const part = parts[index]
    if (part === undefined) return undefined
    if (segment.kind === 'greedy') {
      const rest = parts.slice(index).join('/')
      if (rest === '') return undefined
      found[segment.name] = decodePath(rest)
      return found
    }
    if (segment.kind === 'fixed') {
      if (segment.text !== decodePath(part)) return undefined
      continue
    }
    if (part === '') return undefined
    found[segment.name] = decodePath(part)
  }
  return parts.length === segments.length ? found : undefined
}

/** Percent-decoded; a malformed escape leaves the text as it came. */
export function decodePath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
