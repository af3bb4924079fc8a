/** Route selection of a WebSocket API: an expression over the message's JSON body, such as `$request.body.action`. */

/** The route key that a message names; `undefined` for anything that is no JSON object or lacks the field. */
export type SelectRoute = (message: string) => string | undefined

/** @throws {Error} when the expression is none over `request.body` */
export function compileRouteSelection(expression: string, apiName: string): SelectRoute {
  const [, bare, braced] = /^(?:\$request\.body\.([\w.-]+)|\$\{request\.body\.([\w.-]+)\})$/.exec(expression) ?? []
  const path = (bare ?? braced)?.split('.')
  if (path === undefined) {
    throw new Error(
      `WebSocket API ${apiName}: route selection expression "${expression}": expected such as $request.body.action`,
    )
  }
  return (message) => {
    const value = path.reduce<unknown>(
      (found, key) =>
        typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined,
      parseJson(message),
    )
    return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
