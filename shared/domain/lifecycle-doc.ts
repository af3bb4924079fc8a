import { reconnectDelayMs } from './backoff.ts'
import { conditions, type EndRule, endRules, type Shown } from './lifecycle-table.ts'
import { statusText } from './status-text.ts'
import { connectionReasons } from './words.ts'

/** `docs/lifecycle.md`, whole. A test compares the page with it. */
export function renderLifecycle(): string {
  const series = [1, 2, 3, 4, 5].map(
    (attempt) => reconnectDelayMs(attempt, 0, { backoffBaseMs: 5_000, backoffJitter: 0 }) / 1_000,
  )
  return [
    '# Connection lifecycle',
    '',
    'Rendered from `shared/domain/lifecycle-table.ts`, which the connector acts by; a test holds the two together.',
    '',
    `Reconnecting waits ${series.join(', ')} seconds, with jitter on top. The attempts are cleared once a socket has been open for`,
    '60 seconds. After the fifth failure the connection goes to the slow lane: a probe every 15 minutes, and a wake by a send, a',
    'restart command, or the first success of another connection after a shared outage, at most once a minute. While nothing of a',
    'worker is open, or several connections are down, it asks each 15 seconds whether WhatsApp takes connections at all (a WebSocket',
    'upgrade, no login), and wakes one when it does again, or a minute after the last failure; its success wakes the others. A wake changes',
    'the status only when it succeeds.',
    '',
    '## When a socket ends',
    '',
    row('what happened', 'status and reason', 'remedy', 'alarm', 'what we do'),
    row('---', '---', '---', '---', '---'),
    ...Object.values(endRules).map((rule) =>
      row(rule.happened, shownByRule(rule), remedies(rule), rule.alarm ? 'yes' : '', rule.action),
    ),
    '',
    '## Otherwise',
    '',
    row('what happened', 'status and reason', 'remedy', 'alarm', 'what we do'),
    row('---', '---', '---', '---', '---'),
    ...Object.values(conditions).map((condition) => {
      const shows: Shown = condition.shows
      return row(
        condition.happened,
        shown(shows),
        shows.remedy === undefined ? '' : code(shows.remedy),
        condition.alarm ? 'yes' : '',
        condition.action,
      )
    }),
    '',
    '## What a person reads',
    '',
    row('reason', 'message'),
    row('---', '---'),
    ...connectionReasons.map((reason) => row(code(reason), statusText(reason))),
    '',
  ].join('\n')
}

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const code = (word: string): string => `\`${word}\``
const shown = (shows: Shown): string => `${code(shows.status)} / ${code(shows.reason)}`

/** The states that a rule can show, first to last. */
export function shownOf(rule: EndRule): readonly Shown[] {
  switch (rule.next.kind) {
    case 'at_once':
    case 'let_go':
      return []
    case 'stop':
      return [rule.next.shows]
    case 'backoff':
      return [rule.next.shows, rule.next.exhausted]
    case 'yield':
      return [rule.next.shows, rule.next.stops]
  }
}

const shownByRule = (rule: EndRule): string => shownOf(rule).map(shown).join(', then ') || 'unchanged'
const remedies = (rule: EndRule): string =>
  shownOf(rule)
    .flatMap((shows) => (shows.remedy === undefined ? [] : [code(shows.remedy)]))
    .join(', ')
