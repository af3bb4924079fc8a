import { useCallback, useEffect, useState } from 'react'
import type { Answer, HoldfastClient } from '../../../shared/client/index.ts'
import { Time } from '../parts/clock.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { useSay } from '../parts/notices.tsx'
import { Operator } from '../parts/operator.tsx'

type Queue = Answer<'GET /admin/dead-letters'>['items'][number]
type Letter = Answer<'GET /admin/dead-letters/{queue}/messages'>['items'][number]

/** What could not be done, queue by queue: looked at, put back, dropped. */
export function DeadLettersPage() {
  return (
    <>
      <div className="page-head">
        <h1>Dead letters</h1>
      </div>
      <Operator>{(client) => <Queues client={client} />}</Operator>
    </>
  )
}

function Queues({ client }: { readonly client: HoldfastClient }) {
  const say = useSay()
  const [queues, setQueues] = useState<readonly Queue[]>()
  const [chosen, setChosen] = useState<Queue['queue']>()
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  const load = useCallback(async () => {
    await say.attempt(async () => setQueues(await client.operators.deadLetterQueues()))
  }, [client])
  useEffect(() => void load(), [load])
  if (queues === undefined) return <p role="status">Loading queues…</p>
  return (
    <>
      <ul className="cards">
        {queues.map(({ queue, messages }) => (
          <li key={queue} className="card">
            <div className="card-head">
              <h2>{queue}</h2>
              <strong>{messages}</strong>
            </div>
            <button type="button" onClick={() => setChosen(queue)} aria-pressed={chosen === queue}>
              Look at them<span className="hidden"> in {queue}</span>
            </button>
          </li>
        ))}
      </ul>
      {chosen !== undefined && <Letters key={chosen} client={client} queue={chosen} onChanged={load} />}
    </>
  )
}

interface LettersProps {
  readonly client: HoldfastClient
  readonly queue: Queue['queue']
  readonly onChanged: () => Promise<void>
}

function Letters({ client, queue, onChanged }: LettersProps) {
  const say = useSay()
  const [letters, setLetters] = useState<readonly Letter[]>()
  const [dropping, setDropping] = useState<Letter>()
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  const load = useCallback(async () => {
    await say.attempt(async () => setLetters(await client.operators.deadLetters(queue, { limit: 50 })))
  }, [client, queue])
  useEffect(() => void load(), [load])
  const act = async (what: 'redrive' | 'drop', id: string) => {
    await say.attempt(async () => {
      const [became] = await client.operators[what](queue, [id])
      say.done(`${became?.outcome ?? 'done'}`.replaceAll('_', ' '))
      await load()
      await onChanged()
    })
  }
  if (letters === undefined) return <p role="status">Looking…</p>
  if (letters.length === 0) return <Empty title="This queue is empty" />
  return (
    <ul className="events">
      {letters.map((letter) => (
        <li key={letter.id}>
          <details>
            <summary>
              <Time at={letter.sentAt} /> <strong>{letter.code ?? 'no code'}</strong>{' '}
              <span className="hint">{letter.reason ?? ''}</span>
            </summary>
            <pre>{letter.body}</pre>
            <div className="actions start">
              <button type="button" disabled={!letter.redrivable} onClick={() => void act('redrive', letter.id)}>
                Put back
              </button>
              <button type="button" onClick={() => setDropping(letter)}>
                Drop
              </button>
            </div>
          </details>
        </li>
      ))}
      {dropping !== undefined && (
        <Confirm
          title="Drop this message?"
          action="Drop it"
          onClose={() => setDropping(undefined)}
          onConfirm={() => void act('drop', dropping.id)}
        >
          <p>It is deleted, and what it asked for is not done.</p>
        </Confirm>
      )}
    </ul>
  )
}
