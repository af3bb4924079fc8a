import { useCallback, useState } from 'react'
import type { Answer, HoldfastClient } from '../../../shared/client/index.ts'
import { Awaited } from '../parts/awaited.tsx'
import { Time } from '../parts/clock.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { useSay } from '../parts/notices.tsx'
import { Operator } from '../parts/operator.tsx'
import { useLoaded } from '../parts/use-loaded.ts'

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
  const [chosen, setChosen] = useState<Queue['queue']>()
  const read = useCallback(() => client.operators.deadLetterQueues(), [client])
  const queues = useLoaded<readonly Queue[]>(read)
  return (
    <Awaited loaded={queues} what="queues">
      {(all) => (
        <>
          <p>What could not be done is kept here for 14 days, until it is put back or dropped.</p>
          <ul className="cards">
            {all.map(({ queue, messages }) => (
              <li key={queue} className="card">
                <div className="card-head">
                  <h2>{queue}</h2>
                  <span className={`status ${messages > 0 ? 'disconnected' : 'connected'}`}>
                    <span className="dot" aria-hidden="true" />
                    {messages === 0 ? 'None' : messages}
                  </span>
                </div>
                <p className="hint">{meanings[queue]}</p>
                <div className="actions start">
                  <button type="button" onClick={() => setChosen(queue)} aria-pressed={chosen === queue}>
                    Look at them<span className="hidden"> in {queue}</span>
                  </button>
                </div>
              </li>
            ))}
          </ul>
          {chosen !== undefined && <Letters key={chosen} client={client} queue={chosen} onChanged={queues.load} />}
        </>
      )}
    </Awaited>
  )
}

/** What lies in each, for somebody who has not read the runbook. */
const meanings: Readonly<Record<Queue['queue'], string>> = {
  sends: 'Sends that other services posted and that could not be accepted.',
  'sends-fifo': 'The same, of the queue that keeps order.',
  doorbells: 'Calls to workers that none could answer. No send is lost by it.',
  publish: 'Changes that browsers could not be told.',
  events: 'Events that the event bus did not take.',
  webhooks: 'Calls for webhooks that none could answer. No event is lost by it.',
}

interface LettersProps {
  readonly client: HoldfastClient
  readonly queue: Queue['queue']
  readonly onChanged: () => Promise<void>
}

function Letters({ client, queue, onChanged }: LettersProps) {
  const say = useSay()
  const [dropping, setDropping] = useState<Letter>()
  const read = useCallback(() => client.operators.deadLetters(queue, { limit: 50 }), [client, queue])
  const letters = useLoaded<readonly Letter[]>(read)
  const act = async (what: 'redrive' | 'drop', id: string) => {
    await say.attempt(async () => {
      const [became] = await client.operators[what](queue, [id])
      say.done(`${became?.outcome ?? 'done'}`.replaceAll('_', ' '))
      await letters.load()
      await onChanged()
    })
  }
  return (
    <Awaited loaded={letters} what="messages">
      {(all) => (
        <>
          {all.length === 0 && <Empty title="This queue is empty" />}
          <ul className="events">
            {all.map((letter) => (
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
          </ul>
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
        </>
      )}
    </Awaited>
  )
}
