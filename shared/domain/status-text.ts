import type { ConnectionReason } from './words.ts'

/** What a status reason means, in one sentence for the person who looks at the connection. */
const sentencesByReason: Readonly<Record<ConnectionReason, string>> = {
  pairing_requested: 'Asking WhatsApp for a code to link the device.',
  waiting_for_scan: 'Scan the QR code with WhatsApp on your phone, under Linked devices.',
  waiting_for_code: 'Enter the code in WhatsApp on your phone, under Linked devices, Link with phone number.',
  passkey_required:
    'WhatsApp asks for a passkey to link this device. Confirm it on your phone, then start linking again.',
  open: 'Connected to WhatsApp.',
  restoring: 'The connection is being restored.',
  restart_requested: 'The connection is being restarted.',
  connection_lost: 'The network connection to WhatsApp was lost. Reconnecting.',
  connection_closed: 'WhatsApp closed the connection. Reconnecting.',
  service_unavailable: 'WhatsApp is not available at the moment. Reconnecting.',
  stream_error: 'WhatsApp ended the connection with an error. Reconnecting.',
  upgrade_refused: 'WhatsApp refused the connection at the moment. Reconnecting.',
  liveness_failed: 'WhatsApp stopped answering. Reconnecting.',
  open_timeout: 'WhatsApp did not answer in time. Reconnecting.',
  replaced: 'The session was opened somewhere else. Reconnecting.',
  client_outdated: 'WhatsApp asks for a newer client version. Reconnecting with the newest one.',
  outage: 'Many connections failed together. Waiting for WhatsApp to come back.',
  no_worker: 'No worker is running this connection at the moment. It is restored as soon as one is.',
  unknown_failure: 'The connection ended for a reason that is not known here.',
  no_session: 'No device is linked yet. Scan a QR code to link one.',
  logged_out: 'The device was logged out. Scan a QR code to link it again.',
  forbidden: 'WhatsApp refuses this account. Contact WhatsApp from the phone.',
  replaced_elsewhere: 'Another program keeps opening this session. Stop it, then restart the connection.',
  unsupported_account:
    'The account does not support linked devices in this form. Update WhatsApp on the phone and link it again.',
  qr_expired: 'The QR codes were not scanned in time. Start linking again.',
  pairing_failed: 'Linking the device did not succeed. Start linking again.',
  auth_missing: 'The stored session of this device was not found. Scan a QR code to link it again.',
  auth_unreadable: 'The stored session could not be read. It is kept; the operators are told.',
  retries_exhausted: 'Reconnecting did not succeed. It is tried again from time to time, and at the next send.',
  quarantined:
    'Opening this connection stopped its worker several times in a row. It is tried again later, or at once by a restart.',
  deleting: 'The connection is being deleted.',
}

/** @param detail what is only known at run time, e.g. `code 409`; added in brackets. */
export function statusText(reason: ConnectionReason, detail?: string): string {
  const sentence = sentencesByReason[reason]
  return detail === undefined ? sentence : `${sentence.replace(/\.$/, '')} (${detail}).`
}
