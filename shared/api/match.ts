import { type HttpMethod, routeList } from './routes.ts'

/** Methods that a concrete path, e.g. `/connections/con_1`, has; none where the path is unknown. */
export function methodsAt(path: string): readonly HttpMethod[] {
  const segments = path.split('/')
  const matches = routeList.filter((route) => {
    const template = route.path.split('/')
    return (
      template.length === segments.length &&
      template.every((part, index) => (part.startsWith('{') ? segments[index] !== '' : part === segments[index]))
    )
  })
  return [...new Set(matches.map((route) => route.method))]
}
