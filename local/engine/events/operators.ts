/** The operators of event patterns that need more than a comparison: numeric ranges, wildcards and address blocks. */
import { BlockList, isIP } from 'node:net'

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
}

/** `[">", 0, "<=", 5]` as a test; `undefined` when the list is no such thing. */
export function numericTest(operand: unknown): ((value: number) => boolean) | undefined {
  if (!Array.isArray(operand) || operand.length === 0 || operand.length % 2 !== 0) return undefined
  const bounds: { readonly holds: (value: number, bound: number) => boolean; readonly bound: number }[] = []
  for (let index = 0; index < operand.length; index += 2) {
    const comparison: unknown = operand[index]
    const bound: unknown = operand[index + 1]
    const holds = typeof comparison === 'string' ? comparisons[comparison] : undefined
    if (holds === undefined || typeof bound !== 'number') return undefined
    bounds.push({ holds, bound })
  }
  return (value) => bounds.every(({ holds, bound }) => holds(value, bound))
}

/** `*` stands for any run of characters; `\*` and `\\` for themselves. `undefined` for `**` and any other backslash. */
export function compileWildcard(expression: string): RegExp | undefined {
  if (/\*\*/.test(expression.replaceAll('\\\\', '').replaceAll('\\*', ''))) return undefined
  let source = ''
  for (let index = 0; index < expression.length; index += 1) {
    const character = expression.charAt(index)
    if (character === '*') {
      source += '.*'
      continue
    }
    if (character === '\\') {
      index += 1
      if (!['*', '\\'].includes(expression.charAt(index))) return undefined
    }
    source += expression.charAt(index).replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, 's')
}

/** `10.0.0.0/24` or `2001:db8::/32` as a test of an address; `undefined` when it is no block. */
export function addressInBlock(block: string): ((address: string) => boolean) | undefined {
  const [network = '', prefix = ''] = block.split('/')
  const version = isIP(network)
  const bits = Number(prefix)
  if (version === 0 || !/^\d+$/.test(prefix) || bits > (version === 4 ? 32 : 128)) return undefined
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(network, bits, family)
  return (address) => isIP(address) === version && list.check(address, family)
}
