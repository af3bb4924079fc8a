import { methodsAt } from '../../shared/api/match.ts'
import { openApiDocument } from '../../shared/api/openapi.ts'
import { Problem } from '../../shared/api/problems.ts'
import { apiPage, apiPageFile } from './api-page.ts'
import { httpHandler } from './stack.ts'

const document = openApiDocument()

/** What no other route took: the path is unknown, or it has other methods. */
function refuse(path: string): never {
  const methods = methodsAt(path)
  if (methods.length === 0) throw new Problem('not_found', { detail: 'GET /openapi.json lists what there is.' })
  throw new Problem('method_not_allowed', { headers: { allow: methods.join(', ') } })
}

const answer = httpHandler(
  {
    openApi: async () => ({ body: document }),
    apiPage: async () => apiPage(),
    apiPageFile: async ({ params }) => {
      const file = apiPageFile(params.file)
      if (file === undefined) throw new Problem('not_found')
      return file
    },
  },
  refuse,
)

/**
 * Browsers ask before they call from another origin. The route `OPTIONS /{proxy+}` and the default route both take such a
 * question away from API Gateway's own answer; API Gateway adds the headers, and only wants a good status.
 */
export const handler = async (...[event, context]: Parameters<typeof answer>) =>
  event.requestContext.http.method === 'OPTIONS' ? { statusCode: 204 } : answer(event, context)
