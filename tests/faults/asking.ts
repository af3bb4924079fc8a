import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../end-to-end/callers.ts'

const triesMax = 5

/** Who is busy, or was asked too often, is asked again, as callers should. */
export async function persistently(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await ask()
    if ((answer.status < 500 && answer.status !== 429) || tries === triesMax) return answer
    await delay(1_000 * Number(answer.headers.get('retry-after') ?? 1))
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a caller reads JSON; the assertions say what must be in it
export function ok(answer: Answer): any {
  if (answer.status >= 300) throw new Error(`expected success, got ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}
