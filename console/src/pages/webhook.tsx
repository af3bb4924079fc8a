import { type FormEvent, useCallback, useState } from 'react'
import { Link, useLocation } from 'wouter'
import type { Answer, HoldfastClient } from '../../../shared/client/index.ts'
import { Awaited } from '../parts/awaited.tsx'
import { Time } from '../parts/clock.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { useSay } from '../parts/notices.tsx'
import { Secret } from '../parts/secret.tsx'
import { useLoaded } from '../parts/use-loaded.ts'
import { useSession } from '../session.tsx'
import { type Webhook, WebhookState } from './webhooks.tsx'

type Delivery = Answer<'GET /webhooks/{webhookId}/deliveries'>['items'][number]

/** The log shows so many of the last attempts. */
const deliveriesShown = 50

/** One endpoint: how it does, what was delivered, and what can be done with it. */
export function WebhookPage({ webhookId }: { readonly webhookId: string }) {
  const { client } = useSession()
  const read = useCallback(async () => {
    const [webhook, deliveries] = await Promise.all([client.webhooks.get(webhookId), lastDeliveries(client, webhookId)])
    return { webhook, deliveries }
  }, [client, webhookId])
  const loaded = useLoaded(read)
  return (
    <>
      <p className="crumbs">
        <Link href="/webhooks">Webhooks</Link>
      </p>
      <Awaited loaded={loaded} what="webhook">
        {({ webhook, deliveries }) => <Shown webhook={webhook} deliveries={deliveries} load={loaded.load} />}
      </Awaited>
    </>
  )
}

interface ShownProps {
  readonly webhook: Webhook
  readonly deliveries: readonly Delivery[]
  readonly load: () => Promise<void>
}

function Shown({ webhook, deliveries, load }: ShownProps) {
  const { label, url, events, paused, failing } = webhook
  return (
    <>
      <div className="page-head">
        <div>
          <h1 className="address">{label ?? url}</h1>
          <p className="number address">{url}</p>
        </div>
        <WebhookState webhook={webhook} />
      </div>
      <p>{events === undefined ? 'All events' : events.join(', ')}</p>
      {paused !== undefined && <p className={paused.reason === 'requested' ? 'hint' : 'remedy'}>{paused.message}</p>}
      {failing !== undefined && (
        <p className="remedy">
          Failing since <Time at={failing.since} />: {failing.error}
        </p>
      )}
      <Deeds webhook={webhook} onChanged={load} />
      <Replay webhookId={webhook.webhookId} onReplayed={load} />
      <section className="card">
        <div className="card-head">
          <h2>Deliveries</h2>
          <button type="button" onClick={() => void load()}>
            Look again
          </button>
        </div>
        {deliveries.length === 0 ? (
          <Empty title="Nothing was delivered yet">
            <p>Send a test, or wait for the first event.</p>
          </Empty>
        ) : (
          <Log deliveries={deliveries} />
        )}
      </section>
    </>
  )
}

async function lastDeliveries(client: HoldfastClient, webhookId: string): Promise<readonly Delivery[]> {
  const found: Delivery[] = []
  for await (const delivery of client.webhooks.deliveries(webhookId, { limit: deliveriesShown })) {
    if (found.push(delivery) >= deliveriesShown) break
  }
  return found
}

interface DeedsProps {
  readonly webhook: Webhook
  readonly onChanged: () => Promise<void>
}

function Deeds({ webhook, onChanged }: DeedsProps) {
  const { client } = useSession()
  const say = useSay()
  const [, go] = useLocation()
  const [asking, setAsking] = useState<'rotate' | 'delete'>()
  const [secret, setSecret] = useState<string>()
  const { webhookId, state, label, url } = webhook
  const test = () =>
    say.attempt(async () => {
      const { delivered, statusCode, durationMs, error } = await client.webhooks.test(webhookId)
      if (!delivered) throw new Error(error ?? `The endpoint answered ${statusCode}.`)
      say.done(`Delivered: ${statusCode} after ${durationMs} ms.`)
    })
  const turn = () =>
    say.attempt(() => (state === 'paused' ? client.webhooks.resume(webhookId) : client.webhooks.pause(webhookId)))
  return (
    <div className="actions start">
      <button type="button" className="primary" onClick={() => void test().then(onChanged)}>
        Send a test
      </button>
      <button type="button" onClick={() => void turn().then(onChanged)}>
        {state === 'paused' ? 'Resume' : 'Pause'}
      </button>
      <button type="button" onClick={() => setAsking('rotate')}>
        Rotate the secret
      </button>
      <button type="button" onClick={() => setAsking('delete')}>
        Delete
      </button>
      {asking === 'rotate' && (
        <Confirm
          title="Make a new signing secret?"
          action="Make a new one"
          onClose={() => setAsking(undefined)}
          onConfirm={() =>
            void say.attempt(async () => setSecret((await client.webhooks.rotateSecret(webhookId)).secret))
          }
        >
          <p>For 24 hours the old secret signs as well, so that nothing is refused while you change it.</p>
        </Confirm>
      )}
      {asking === 'delete' && (
        <Confirm
          title={`Delete ${label ?? url}?`}
          action="Delete for good"
          onClose={() => setAsking(undefined)}
          onConfirm={() =>
            void say
              .attempt(() => client.webhooks.delete(webhookId), 'The webhook is deleted.')
              .then((well) => well && go('/webhooks'))
          }
        >
          <p>Nothing more is posted there, and what waits for it is dropped.</p>
        </Confirm>
      )}
      {secret !== undefined && (
        <Secret title="The new signing secret" secret={secret} onClose={() => setSecret(undefined)} />
      )}
    </div>
  )
}

interface ReplayProps {
  readonly webhookId: string
  readonly onReplayed: () => Promise<void>
}

/** Events that were given up go out again. */
function Replay({ webhookId, onReplayed }: ReplayProps) {
  const { client } = useSession()
  const say = useSay()
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    await say.attempt(async () => {
      const count = await client.webhooks.replay(webhookId, {
        ...(from === '' ? {} : { from: new Date(from).toISOString() }),
        ...(to === '' ? {} : { to: new Date(to).toISOString() }),
      })
      say.done(count === 0 ? 'No event of that time was given up.' : `${count} events are on their way again.`)
    })
    await onReplayed()
  }
  return (
    <form className="inline card" aria-label="Replay" onSubmit={(event) => void submit(event)}>
      <label>
        Send events again that were given up, from
        <input type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />
      </label>
      <label>
        until
        <input type="datetime-local" value={to} onChange={(event) => setTo(event.target.value)} />
      </label>
      <button type="submit">Replay</button>
    </form>
  )
}

function Log({ deliveries }: { readonly deliveries: readonly Delivery[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className="scroll" tabIndex={0} role="region" aria-label="Delivery log">
      <table>
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">Event</th>
            <th scope="col">Attempt</th>
            <th scope="col">Answer</th>
            <th scope="col">Took</th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map(({ deliveryId, at, event, attempt, delivered, statusCode, error, durationMs }) => (
            <tr key={deliveryId}>
              <td>
                <Time at={at} />
              </td>
              <th scope="row">{event}</th>
              <td>{attempt}</td>
              <td className={delivered ? undefined : 'problem'}>
                {delivered ? `Delivered, ${statusCode}` : (error ?? `Refused, ${statusCode}`)}
              </td>
              <td>{durationMs} ms</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
