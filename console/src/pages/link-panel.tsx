import { useState } from 'react'
import type { Connection } from '../../../shared/client/index.ts'
import { Countdown } from '../parts/clock.tsx'
import { useSay } from '../parts/notices.tsx'
import { QrCode } from '../parts/qr-code.tsx'
import { useSession } from '../session.tsx'
import { SimulatedScan } from './simulated-scan.tsx'

/** What to do on the phone, with the code of the moment: a new one comes by itself before the old one runs out. */
export function LinkPanel({ connection }: { readonly connection: Connection }) {
  const { client, place } = useSession()
  const say = useSay()
  const { connectionId, qr, pairingCode, pairing, reason } = connection
  const byCode = pairing === 'code'
  return (
    <section className="card link" aria-label="Link the phone">
      <div className="link-code">
        {!byCode && qr !== undefined && (
          <>
            <QrCode text={qr.text} />
            <p className="hint">
              <Countdown until={qr.expiresAt} before="A new code comes in" after="A new code is on its way…" />
            </p>
          </>
        )}
        {byCode && pairingCode !== undefined && (
          <>
            <p className="pairing-code" role="status">
              {pairingCode.code.slice(0, 4)}-{pairingCode.code.slice(4)}
            </p>
            <p className="hint">
              <Countdown until={pairingCode.expiresAt} before="Valid for" after="The code has run out." />
            </p>
          </>
        )}
        {(byCode ? pairingCode : qr) === undefined && (
          <p className="waiting" role="status">
            {reason === 'passkey_required' ? 'Confirm with the passkey on the phone.' : 'The code is being made…'}
          </p>
        )}
      </div>
      <div>
        <h2>On the phone</h2>
        <ol>
          <li>Open WhatsApp.</li>
          <li>
            Tap <strong>⋮</strong> (Android) or <strong>Settings</strong> (iPhone), then <strong>Linked devices</strong>
            .
          </li>
          <li>
            Tap <strong>Link a device</strong>
            {byCode ? (
              <>
                {', '}then <strong>Link with phone number instead</strong>, and enter the code.
              </>
            ) : (
              ' and point the camera at the code.'
            )}
          </li>
        </ol>
        <p>This page changes by itself when the phone is linked.</p>
        {place.local?.simulator !== undefined && <SimulatedScan connection={connection} />}
        <div className="actions start">
          {byCode ? (
            <button
              type="button"
              onClick={() => void say.attempt(() => client.connections.pair(connectionId, { pairing: 'qr' }))}
            >
              Use a QR code instead
            </button>
          ) : (
            <SwitchToCode connection={connection} />
          )}
          <button
            type="button"
            onClick={() =>
              void say.attempt(() => client.connections.delete(connectionId), 'The connection is being deleted.')
            }
          >
            Cancel
          </button>
        </div>
      </div>
    </section>
  )
}

function SwitchToCode({ connection }: { readonly connection: Connection }) {
  const { client } = useSession()
  const say = useSay()
  const [asking, setAsking] = useState(false)
  const [phoneNumber, setPhoneNumber] = useState(connection.phoneNumber ?? '')
  if (!asking) {
    return (
      <button type="button" onClick={() => setAsking(true)}>
        Use a code instead
      </button>
    )
  }
  return (
    <form
      className="inline"
      onSubmit={(event) => {
        event.preventDefault()
        void say.attempt(() => client.connections.pair(connection.connectionId, { pairing: 'code', phoneNumber }))
      }}
    >
      <label>
        Phone number
        <input type="tel" required value={phoneNumber} onChange={(event) => setPhoneNumber(event.target.value)} />
      </label>
      <button type="submit">Get a code</button>
    </form>
  )
}
