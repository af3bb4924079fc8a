import type { MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { isAudited, type RouteContract } from '../../shared/api/routes.ts'
import { type AuditTrail, audit } from '../../shared/aws/audit.ts'
import { businessProfiles } from '../../shared/aws/business-profiles.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { auditDaysDefault } from '../../shared/domain/tenancy.ts'
import { configure } from '../config.ts'
import { count, log } from '../log.ts'
import { isoNow } from '../time.ts'
import { type AuthorizerContext, callerOf } from './principal.ts'
import type { HttpEvent } from './request.ts'

const config = configure('ACCOUNTS_TABLE')
const table = { documents: documentClient(), table: config.ACCOUNTS_TABLE }
const trails = audit(table)
const profiles = businessProfiles(table)

/**
 * Notes every call that changed something: who, what, when, from where. Only ids and paths, so no secret can get in. Written
 * before the answer, since a function stands still after it; should it fail, the change has happened and is answered, and an
 * alarm can be set on the count of lost entries.
 */
export function auditLog(
  routeOf: (event: HttpEvent) => RouteContract | undefined,
): MiddlewareObj<HttpEvent, APIGatewayProxyStructuredResultV2> {
  return {
    after: async ({ event, response }) => {
      const route = routeOf(event)
      const caller = event.requestContext.authorizer?.lambda
      if (!response || route === undefined || !isAudited(route)) return
      if (caller === undefined || caller.principal === 'none') return
      const { requestId, http } = event.requestContext
      const entry = {
        at: isoNow(),
        by:
          caller.principal === 'tenant' && route.auth === 'tenant'
            ? callerOf(caller)
            : { kind: 'admin' as const, ...('sub' in caller && caller.sub !== undefined ? { sub: caller.sub } : {}) },
        operationId: route.operationId,
        resource: String(response.headers?.location ?? event.rawPath),
        status: response.statusCode ?? 200,
        requestId,
        sourceIp: http.sourceIp,
      }
      try {
        const trail = trailOf(event, route)
        await trails.append(trail, entry, await keptDays(caller, trail))
      } catch (error) {
        count('AuditEntriesLost', 1)
        log.error('audit entry lost', { ...entry, error: error as Error })
      }
    },
  }
}

/** As the trail's profile says; who calls as an administrator brings nothing of it. */
async function keptDays(caller: AuthorizerContext, trail: AuditTrail): Promise<number> {
  if (caller.principal === 'tenant' && trail === caller.businessProfileId)
    return Number(caller.auditDays ?? auditDaysDefault)
  const profile = trail === 'service' ? undefined : await profiles.getBusinessProfile(trail)
  return profile?.retention.auditDays ?? auditDaysDefault
}

/** A business profile sees what is done to it. Its end stands in the service's own trail, which outlives it. */
function trailOf(event: HttpEvent, route: RouteContract): AuditTrail {
  const caller = event.requestContext.authorizer?.lambda
  if (caller?.principal === 'tenant' && route.auth === 'tenant') return caller.businessProfileId
  if (route.operationId === 'deleteBusinessProfile') return 'service'
  return event.pathParameters?.businessProfileId ?? 'service'
}
