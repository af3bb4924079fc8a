const patterns = new Map<string, RegExp>()

/** IAM's wildcards: `*` is any run of characters (slashes and colons too), `?` any one of them. Case matters. */
export function matchesWildcard(value: string, pattern: string): boolean {
  if (pattern === '*' || pattern === value) return true
  if (!pattern.includes('*') && !pattern.includes('?')) return false
  let compiled = patterns.get(pattern)
  if (compiled === undefined) {
    const source = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[\\s\\S]*')
      .replaceAll('?', '[\\s\\S]')
    compiled = new RegExp(`^${source}$`)
    patterns.set(pattern, compiled)
  }
  return compiled.test(value)
}
