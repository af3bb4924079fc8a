import type { Invocation } from '../../local/engine/functions/invocations.ts'
import { mayInvoke } from '../../local/engine/functions/invoker.ts'
import { compileHttpRoutes } from '../../local/engine/gateway/http-routes.ts'
import { createAccess } from '../../local/engine/iam/access.ts'
import { type AllowedRequest, createLedger, kindOf } from '../../local/engine/iam/ledger.ts'
import type { Principal } from '../../local/engine/iam/principals.ts'
import type { Model } from '../../local/engine/template/specs.ts'
import type { UsedWires } from './used-wires.ts'

const nobody = { info: () => undefined, warn: () => undefined, error: () => undefined }

/**
 * What went through the wires of recorded runs, judged again by the same code that local mode judges with. In a run, whatever
 * is refused here would have been refused, and a run in which something is refused fails (`startPlace`).
 */
export class Replay {
  readonly #requests: readonly AllowedRequest[]
  readonly #invocations: readonly Invocation[]
  /** What the whole template does not let through, in words: recorded under another one, of settings of its own or of before a change. */
  readonly leftOut: readonly string[]

  /** Keeps what the whole template lets through. */
  constructor(used: UsedWires, whole: Model) {
    const judge = judgeOf(whole)
    const kinds = new Map(used.allowed.map((request) => [kindOf(request), request]))
    this.#requests = [...kinds.values()].filter((request) => judge(request) === undefined)
    this.#invocations = used.invocations.filter((invocation) => whyNot(whole, invocation) === undefined)
    this.leftOut = [
      ...[...kinds.values()].map(judge),
      ...used.invocations.map((invocation) => whyNot(whole, invocation)),
    ].filter((why) => why !== undefined)
  }

  get size(): string {
    return `${this.#requests.length} kinds of calls and ${this.#invocations.length} kinds of invocations`
  }

  /** The first that the model would not let through, in words. */
  refused(model: Model): string | undefined {
    const judge = judgeOf(model)
    for (const request of this.#requests) {
      const why = judge(request)
      if (why !== undefined) return why
    }
    for (const invocation of this.#invocations) {
      const why = whyNot(model, invocation)
      if (why !== undefined) return why
    }
    return undefined
  }

  /** Whether a run started the function. */
  invoked(functionArn: string): boolean {
    return this.#invocations.some((invocation) => invocation.functionArn === functionArn)
  }
}

function judgeOf(model: Model): (request: AllowedRequest) => string | undefined {
  const roles = new Map(model.roles.map((role) => [role.name, role]))
  const access = createAccess({ model, ledger: createLedger(1), enforce: true, log: nobody })
  return ({ caller, request, owner }) => {
    const role = caller.kind === 'role' ? roles.get(caller.name) : undefined
    if (caller.kind === 'role' && role === undefined) return `there is no role ${caller.name}`
    const principal: Principal =
      caller.kind === 'service'
        ? { ...caller, title: caller.service }
        : { kind: 'role', title: caller.name, role: role as NonNullable<typeof role> }
    const verdict = access.judge(principal, [{ ...request, owner }])
    return verdict.kind === 'refused' ? verdict.message : undefined
  }
}

function whyNot(model: Model, { functionArn, source, routed }: Invocation): string | undefined {
  if (!mayInvoke(model.permissions, functionArn, source)) {
    return `${source.service} may not invoke ${functionArn} from ${source.sourceArn}`
  }
  if (routed?.method === undefined || routed.path === undefined) return undefined
  const api = model.httpApis.find(({ apiId }) => apiId === routed.apiId)
  const chosen = api && compileHttpRoutes(api.routes).match(routed.method, routed.path)?.route
  if (chosen?.functionArn === functionArn && chosen.routeKey === routed.routeKey) return undefined
  return `${routed.method} ${routed.path} goes to ${chosen?.routeKey ?? 'no route'}`
}
