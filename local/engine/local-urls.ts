/** Turns the URLs that APIs have on AWS, as the template joins them together, into the ones they have here. */

export interface LocalApi {
  readonly apiId: string
  /** `http://127.0.0.1:4500`, without the stage. */
  readonly httpBase: string
  /** `ws://127.0.0.1:4500`, without the stage; WebSocket APIs only. */
  readonly socketBase?: string
}

/** For a WebSocket API, `https://…` is its management endpoint, `wss://…` the API itself. */
export function localizer(
  apis: readonly LocalApi[],
  region: string,
  /** Other beginnings of URLs, e.g. of distributions and buckets. */
  hosts: ReadonlyMap<string, string> = new Map(),
): (value: string) => string {
  const bases = new Map(apis.map((api) => [api.apiId, api]))
  const pattern = new RegExp(`(https|wss)://([a-z0-9]+)\\.execute-api\\.${region}\\.amazonaws\\.com`, 'g')
  return (value) =>
    [...hosts]
      .reduce((text, [from, to]) => text.replaceAll(from, to), value)
      .replaceAll(pattern, (whole, scheme: string, apiId: string) => {
        const api = bases.get(apiId)
        return (scheme === 'wss' ? api?.socketBase : api?.httpBase) ?? whole
      })
}
