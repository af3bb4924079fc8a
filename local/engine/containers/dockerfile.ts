/**
 * Reads a Dockerfile into instructions: the closed list that local mode can carry out without Docker. What it cannot is an
 * error that names the line.
 */

export type Instruction =
  | { readonly kind: 'from'; readonly image: string; readonly stage: string | undefined }
  | { readonly kind: 'workdir'; readonly path: string }
  | {
      readonly kind: 'copy'
      readonly from: string | undefined
      readonly sources: readonly string[]
      readonly target: string
    }
  | { readonly kind: 'npm ci'; readonly flags: readonly string[] }
  | { readonly kind: 'mkdir'; readonly paths: readonly string[] }
  | { readonly kind: 'env'; readonly variables: Readonly<Record<string, string>> }
  | { readonly kind: 'entrypoint'; readonly command: readonly string[] }
  | { readonly kind: 'cmd'; readonly command: readonly string[] }

/** About the image's looks, its ports, its user: nothing that decides what runs. */
const WITHOUT_EFFECT = ['USER', 'EXPOSE', 'LABEL', 'HEALTHCHECK', 'STOPSIGNAL', 'MAINTAINER']

/** Commands of a RUN that only prepare a real image's users, caches and rights. */
const NOTHING_TO_DO = [
  /^npm cache clean\b/,
  /^(groupadd|useradd|addgroup|adduser|chown|chmod)\b/,
  /^rm -rf? /,
  /^true$/,
]

/** @throws {Error} naming the line that local mode cannot carry out */
export function readDockerfile(text: string, buildArgs: Readonly<Record<string, string>>): readonly Instruction[] {
  const values: Record<string, string> = {}
  const instructions: Instruction[] = []
  for (const { line, number } of logicalLines(text)) {
    const [, word = '', raw = ''] = /^(\w+)\s+([\s\S]*)$/.exec(line) ?? []
    const name = word.toUpperCase()
    const rest = name === 'RUN' ? raw : substitute(raw, values)
    const refuse = (why: string): Error => new Error(`Dockerfile line ${number}: ${why}: ${line}`)
    if (WITHOUT_EFFECT.includes(name)) continue
    switch (name) {
      case 'ARG': {
        const [arg = '', byDefault = ''] = rest.split('=')
        values[arg.trim()] = buildArgs[arg.trim()] ?? unquote(byDefault.trim())
        break
      }
      case 'FROM': {
        const [, image = '', stage] = /^(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest.trim()) ?? []
        const isStage = instructions.some((each) => each.kind === 'from' && each.stage === image)
        if (!isStage && !/(^|\/)node:24\b/.test(image)) throw refuse('local mode knows images of Node 24 only')
        instructions.push({ kind: 'from', image, stage })
        break
      }
      case 'WORKDIR':
        instructions.push({ kind: 'workdir', path: unquote(rest.trim()) })
        break
      case 'COPY': {
        const { flags, words } = flagsAndWords(rest)
        const unknown = flags.find((flag) => !/^--(from|chown|chmod|link)(=|$)/.test(flag))
        if (unknown !== undefined) throw refuse(`local mode does not know ${unknown}`)
        const target = words.at(-1)
        if (target === undefined || words.length < 2) throw refuse('expected sources and a target')
        const from = flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length)
        instructions.push({ kind: 'copy', from, sources: words.slice(0, -1), target })
        break
      }
      case 'RUN':
        instructions.push(...run(rest, refuse))
        break
      case 'ENV':
        instructions.push({ kind: 'env', variables: assignments(rest) })
        break
      case 'ENTRYPOINT':
      case 'CMD':
        instructions.push({ kind: name === 'CMD' ? 'cmd' : 'entrypoint', command: execForm(rest, refuse) })
        break
      default:
        throw refuse(`local mode does not know ${name}`)
    }
  }
  if (instructions[0]?.kind !== 'from') throw new Error('Dockerfile: expected it to begin with FROM')
  return instructions
}

function logicalLines(text: string): readonly { readonly line: string; readonly number: number }[] {
  const lines: { line: string; number: number }[] = []
  let pending = ''
  let start = 0
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line.startsWith('#') || (line === '' && pending === '')) continue
    if (pending === '') start = index + 1
    pending += line.replace(/\\$/, ' ')
    if (line.endsWith('\\')) continue
    lines.push({ line: pending.trim(), number: start })
    pending = ''
  }
  if (pending !== '') lines.push({ line: pending.trim(), number: start })
  return lines
}

function run(rest: string, refuse: (why: string) => Error): readonly Instruction[] {
  const { words } = flagsAndWords(rest)
  const commands = words
    .join(' ')
    .split('&&')
    .map((command) => command.trim())
  return commands.flatMap((command): readonly Instruction[] => {
    const parts = command.split(/\s+/)
    if (parts[0] === 'npm' && parts[1] === 'ci') return [{ kind: 'npm ci', flags: parts.slice(2) }]
    if (parts[0] === 'mkdir') return [{ kind: 'mkdir', paths: parts.slice(1).filter((part) => !part.startsWith('-')) }]
    if (NOTHING_TO_DO.some((pattern) => pattern.test(command))) return []
    throw refuse(`local mode cannot run "${command}" without Docker`)
  })
}

/** Leading `--x=y` words are BuildKit's. */
function flagsAndWords(rest: string): { readonly flags: readonly string[]; readonly words: readonly string[] } {
  const words = rest.trim().split(/\s+/).map(unquote)
  const first = words.findIndex((word) => !word.startsWith('--'))
  return { flags: words.slice(0, first < 0 ? words.length : first), words: first < 0 ? [] : words.slice(first) }
}

function assignments(rest: string): Readonly<Record<string, string>> {
  if (!/^\S+=/.test(rest)) {
    const [, name = '', value = ''] = /^(\S+)\s+([\s\S]*)$/.exec(rest) ?? []
    return { [name]: value.trim() }
  }
  const pairs = [...rest.matchAll(/([\w.]+)=("[^"]*"|'[^']*'|\S*)/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unquote(value)]))
}

function execForm(rest: string, refuse: (why: string) => Error): readonly string[] {
  if (!rest.trim().startsWith('[')) return rest.trim().split(/\s+/)
  try {
    return (JSON.parse(rest) as unknown[]).map(String)
  } catch {
    throw refuse('expected a JSON list')
  }
}

function substitute(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{?(\w+)\}?/g, (whole, name: string) => values[name] ?? whole)
}

function unquote(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2')
}
