import type { Connection } from '../../../shared/client/index.ts'
import { Countdown, Time } from './clock.tsx'

const words: Readonly<Record<Connection['status'], string>> = {
  qr_pending: 'Waiting to be linked',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  disconnected: 'Disconnected',
}

/** Told by word and shape as well as by colour. */
export function StatusBadge({ status }: Pick<Connection, 'status'>) {
  return (
    <span className={`status ${status}`}>
      <span className="dot" aria-hidden="true" />
      {words[status]}
    </span>
  )
}

const remedies: Readonly<Record<NonNullable<Connection['remedy']>, string>> = {
  scan_qr: 'Link the phone again.',
  enter_code: 'Enter the pairing code on the phone.',
  contact_whatsapp: 'WhatsApp has blocked this account: write to WhatsApp’s support from the phone.',
  stop_other_session: 'Another program uses this linked device: stop it, then restart the connection.',
  restart: 'Restart the connection.',
  use_passkey_on_phone: 'Confirm with the passkey on the phone.',
}

/** Why it is as it is, what comes next, and what a person can do. */
export function StatusText({ connection }: { readonly connection: Connection }) {
  const { status, message, remedy, attempt, maxAttempts, nextAttemptAt, restriction } = connection
  return (
    <div className="status-text">
      <p>{message}</p>
      {status === 'reconnecting' && attempt !== undefined && (
        <p>
          Attempt {attempt} of {maxAttempts}
          {nextAttemptAt !== undefined && (
            <>
              {', '}
              <Countdown until={nextAttemptAt} before="in" after="now" />
            </>
          )}
        </p>
      )}
      {status === 'disconnected' && nextAttemptAt !== undefined && (
        <p>
          Tried again: <Time at={nextAttemptAt} />
        </p>
      )}
      {remedy !== undefined && status !== 'qr_pending' && <p className="remedy">{remedies[remedy]}</p>}
      {restriction !== undefined && (
        <p className="remedy">
          WhatsApp refuses messages to new chats until {new Date(restriction.until).toLocaleString()}.
        </p>
      )}
    </div>
  )
}
