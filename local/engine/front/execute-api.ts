/** The management API of the WebSocket APIs: `/API/STAGE/@connections/ID`, as the front's rewritten URLs name them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FrontCall, type PassingService, ServiceError } from './call.ts'

export interface ManagedApi {
  readonly apiId: string
  handleManagement(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export function executeApiService(apis: () => readonly ManagedApi[], region: string, account: string): PassingService {
  const read = (path: string): { readonly api: ManagedApi; readonly rest: string } => {
    const [, id = '', rest = ''] = /^\/([^/]+)\/(.+)$/.exec(path) ?? []
    const api = apis().find(({ apiId }) => apiId === id)
    if (api === undefined) throw new ServiceError('ForbiddenException', 'Forbidden', 403)
    return { api, rest }
  }
  return {
    protocol: { kind: 'rest-json' },
    demands(call: FrontCall) {
      const { api, rest } = read(call.path)
      const [stage = '', ...connection] = rest.split('/')
      const resource = `arn:aws:execute-api:${region}:${account}:${api.apiId}/${stage}/${call.method}/${connection.map(decodeURIComponent).join('/')}`
      return [{ action: 'execute-api:ManageConnections', resource, context: {} }]
    },
    pass: (request, response) =>
      read((request.url ?? '/').split('?')[0] ?? '/').api.handleManagement(request, response),
  }
}
