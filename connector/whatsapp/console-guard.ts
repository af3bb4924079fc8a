/**
 * libsignal prints whole session records, private ratchet keys included, through `console.info('Closing session:', session)`
 * and its like. From here on no object reaches a console method: what is not a string, number or boolean is named by its type.
 */
const guarded = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const
const mark = Symbol.for('holdfast.console-guard')

type ConsoleMethod = ((...items: unknown[]) => void) & { [mark]?: true }

/** Idempotent. Whoever replaces console methods later must not pass objects on either; whoever did so before is kept. */
export function guardConsole(target: Console = globalThis.console): void {
  const methods = target as unknown as Record<(typeof guarded)[number], ConsoleMethod>
  for (const name of guarded) {
    const original = methods[name]
    if (original[mark] === true) continue
    const guard: ConsoleMethod = (...items) => original.apply(target, items.map(withoutObject))
    guard[mark] = true
    methods[name] = guard
  }
}

function withoutObject(item: unknown): unknown {
  if ((typeof item !== 'object' && typeof item !== 'function') || item === null) return item
  if (item instanceof Error) return `${item.name}: ${item.message}`
  return `[${item.constructor?.name ?? 'object'}]`
}
