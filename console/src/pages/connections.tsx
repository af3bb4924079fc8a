import { type FormEvent, useState } from 'react'
import { Link, useLocation } from 'wouter'
import type { Connection } from '../../../shared/client/index.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { Field } from '../parts/field.tsx'
import { useSay } from '../parts/notices.tsx'
import { StatusBadge, StatusText } from '../parts/status.tsx'
import { useLive, useSession } from '../session.tsx'

/** All connections of the business profile, live. */
export function ConnectionsPage() {
  const { connections, complete } = useLive()
  const [linking, setLinking] = useState(false)
  return (
    <>
      <div className="page-head">
        <h1>Connections</h1>
        <button type="button" className="primary" onClick={() => setLinking(true)}>
          Link a phone
        </button>
      </div>
      {!complete && <p role="status">Loading connections…</p>}
      {complete && connections.length === 0 && (
        <Empty title="No phone is linked yet">
          <p>Link the phone of your business once. From then on the connection keeps itself up.</p>
          <button type="button" className="primary" onClick={() => setLinking(true)}>
            Link the first phone
          </button>
        </Empty>
      )}
      <ul className="cards">
        {connections.map((connection) => (
          <Card key={connection.connectionId} connection={connection} />
        ))}
      </ul>
      {linking && <LinkDialog onClose={() => setLinking(false)} />}
    </>
  )
}

function Card({ connection }: { readonly connection: Connection }) {
  const { connectionId, label, phoneNumber, status } = connection
  return (
    <li className="card">
      <div className="card-head">
        <h2>
          <Link href={`/connections/${connectionId}`}>{label}</Link>
        </h2>
        <StatusBadge status={status} />
      </div>
      <p className="number">{phoneNumber ?? 'Number not known yet'}</p>
      <StatusText connection={connection} />
    </li>
  )
}

function LinkDialog({ onClose }: { readonly onClose: () => void }) {
  const { client } = useSession()
  const { connections } = useLive()
  const [, go] = useLocation()
  const say = useSay()
  const [label, setLabel] = useState(connections.length === 0 ? 'Primary Device' : '')
  const [pairing, setPairing] = useState<'qr' | 'code'>('qr')
  const [phoneNumber, setPhoneNumber] = useState('')
  const [busy, setBusy] = useState(false)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    const created = await say.attempt(async () => {
      const { connectionId } = await client.connections.create(
        pairing === 'qr' ? { label, pairing } : { label, pairing, phoneNumber },
      )
      go(`/connections/${connectionId}`)
    })
    setBusy(false)
    if (created) onClose()
  }

  return (
    <Dialog title="Link a phone" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <Field
          label="Name"
          hint="For you and your colleagues."
          required
          maxLength={100}
          value={label}
          onChange={setLabel}
        />
        <fieldset>
          <legend>How</legend>
          <label className="choice">
            <input type="radio" name="pairing" checked={pairing === 'qr'} onChange={() => setPairing('qr')} />
            Scan a QR code with the phone
          </label>
          <label className="choice">
            <input type="radio" name="pairing" checked={pairing === 'code'} onChange={() => setPairing('code')} />
            Enter a code on the phone
          </label>
        </fieldset>
        {pairing === 'code' && (
          <Field
            label="Phone number"
            hint="With country code, such as +94714515253."
            type="tel"
            required
            value={phoneNumber}
            onChange={setPhoneNumber}
          />
        )}
        <div className="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? 'Preparing…' : 'Continue'}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
