import { type FormEvent, useCallback, useEffect, useMemo, useState } from 'react'
import { Empty } from '../parts/empty.tsx'
import { useSay } from '../parts/notices.tsx'
import { useLive, useSession } from '../session.tsx'
import { type SimulatedFault, type SimulatedMessage, type SimulatedPhone, Simulator } from '../simulator.ts'

const faults = [
  { title: 'Drop every socket', fault: { kind: 'drop', target: { all: true } } },
  {
    title: 'Refuse everybody for a minute',
    fault: { kind: 'refuse-upgrade', status: 503, ms: 60_000, target: { all: true } },
  },
  { title: 'Go silent for 20 s', fault: { kind: 'silent', ms: 20_000, target: { all: true } } },
  { title: 'Acknowledge nothing for 20 s', fault: { kind: 'no-acks', ms: 20_000, target: { all: true } } },
] as const

/** The simulated WhatsApp of one's own machine: phones that answer, and faults, so that healing can be watched. */
export function PhonesPage() {
  const { place } = useSession()
  const path = place.local?.simulator
  const simulator = useMemo(() => (path === undefined ? undefined : new Simulator(path)), [path])
  if (simulator === undefined) {
    return (
      <Empty title="There are no simulated phones here">
        <p>They come with the simulated WhatsApp of a run on one’s own machine.</p>
      </Empty>
    )
  }
  return (
    <>
      <div className="page-head">
        <h1>Simulated phones</h1>
      </div>
      <Faults simulator={simulator} />
      <Phones simulator={simulator} />
    </>
  )
}

function Faults({ simulator }: { readonly simulator: Simulator }) {
  const say = useSay()
  const { connections } = useLive()
  const [standing, setStanding] = useState<readonly SimulatedFault[]>([])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  const load = useCallback(() => {
    simulator.faults().then(setStanding, say.problem)
  }, [simulator])
  useEffect(() => {
    load()
    const timer = setInterval(load, 2_000)
    return () => clearInterval(timer)
  }, [load])
  const up = connections.filter(({ status }) => status === 'connected').length
  return (
    <section className="card">
      <h2>Faults</h2>
      <p role="status">
        {up} of {connections.length} connections are connected
        {standing.length > 0 && `; at work: ${standing.map(({ kind }) => kind).join(', ')}`}.
      </p>
      <div className="actions start">
        {faults.map(({ title, fault }) => (
          <button
            key={title}
            type="button"
            onClick={() => void say.attempt(() => simulator.addFault(fault)).then(load)}
          >
            {title}
          </button>
        ))}
        <button
          type="button"
          disabled={standing.length === 0}
          onClick={() => void say.attempt(() => simulator.clearFaults()).then(load)}
        >
          End all faults
        </button>
      </div>
    </section>
  )
}

function Phones({ simulator }: { readonly simulator: Simulator }) {
  const say = useSay()
  const [phones, setPhones] = useState<readonly SimulatedPhone[]>()
  const [phoneNumber, setPhoneNumber] = useState('')
  const [name, setName] = useState('')
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  const load = useCallback(() => {
    simulator.phones().then(setPhones, say.problem)
  }, [simulator])
  useEffect(load, [load])
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (await say.attempt(() => simulator.create(phoneNumber, name))) {
      setPhoneNumber('')
      setName('')
      load()
    }
  }
  return (
    <>
      <form className="inline card" onSubmit={(event) => void submit(event)}>
        <label>
          Phone number
          <input type="tel" required value={phoneNumber} onChange={(event) => setPhoneNumber(event.target.value)} />
        </label>
        <label>
          Name
          <input value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <button type="submit">New phone</button>
      </form>
      {phones === undefined && <p role="status">Loading phones…</p>}
      <ul className="cards">
        {phones?.map((phone) => (
          <Phone key={phone.phoneNumber} simulator={simulator} phone={phone} />
        ))}
      </ul>
    </>
  )
}

function Phone({ simulator, phone }: { readonly simulator: Simulator; readonly phone: SimulatedPhone }) {
  const say = useSay()
  const { connections } = useLive()
  const { phoneNumber, name } = phone
  const [messages, setMessages] = useState<readonly SimulatedMessage[]>([])
  const [text, setText] = useState('')
  const own = connections.find((connection) => connection.phoneNumber === phoneNumber)
  const to = connections.find((connection) => connection.phoneNumber !== undefined && connection !== own)?.phoneNumber

  useEffect(() => {
    let here = true
    let count = 0
    const follow = async () => {
      while (here) {
        const now = await simulator.inbox(phoneNumber, count + 1, count === 0 ? 0 : 20)
        if (!here) return
        setMessages(now)
        if (now.length === 0) count = 0
        count = Math.max(count, now.length)
        if (count === 0) await new Promise((resolve) => setTimeout(resolve, 1_000))
      }
    }
    // The simulated server may be stopping: the page says so once, where something is asked of it.
    follow().catch(() => undefined)
    return () => {
      here = false
    }
  }, [simulator, phoneNumber])

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (to !== undefined && (await say.attempt(() => simulator.send(phoneNumber, to, text)))) setText('')
  }
  return (
    <li className="card phone">
      <h2>
        {name ?? 'Phone'} <span className="number">{phoneNumber}</span>
      </h2>
      {own !== undefined && <p className="hint">Linked as “{own.label}”.</p>}
      {messages.length === 0 ? (
        <p className="hint">No messages yet.</p>
      ) : (
        <ul className="plain-list" aria-label={`Inbox of ${phoneNumber}`}>
          {messages.slice(-5).map((message) => (
            <li key={message.id}>
              <strong>{message.from}</strong> {message.text ?? message.kind}
            </li>
          ))}
        </ul>
      )}
      {own === undefined && (
        <form className="inline" onSubmit={(event) => void submit(event)}>
          <label>
            {to === undefined ? 'Nobody to write to yet' : `Write to ${to}`}
            <input
              required
              disabled={to === undefined}
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          </label>
          <button type="submit" disabled={to === undefined}>
            Send
          </button>
        </form>
      )}
    </li>
  )
}
