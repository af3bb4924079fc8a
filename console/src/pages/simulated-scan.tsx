import { useEffect, useMemo, useState } from 'react'
import type { Connection } from '../../../shared/client/index.ts'
import { useSay } from '../parts/notices.tsx'
import { useSession } from '../session.tsx'
import { type SimulatedPhone, Simulator } from '../simulator.ts'

/** On one's own machine there is no phone to hold before the screen: a simulated one scans. */
export function SimulatedScan({ connection }: { readonly connection: Connection }) {
  const { place } = useSession()
  const say = useSay()
  const simulator = useMemo(() => new Simulator(place.local?.simulator ?? ''), [place])
  const [phones, setPhones] = useState<readonly SimulatedPhone[]>([])
  const [chosen, setChosen] = useState<string>()
  const [busy, setBusy] = useState(false)
  // biome-ignore lint/correctness/useExhaustiveDependencies: read once
  useEffect(() => {
    simulator.phones().then(setPhones, say.problem)
  }, [simulator])
  const { qr, pairingCode, pairing } = connection
  const candidates = phones.filter(({ phoneNumber }) => phoneNumber !== place.local?.customer)
  const number = chosen ?? connection.phoneNumber ?? candidates[0]?.phoneNumber
  const code = pairing === 'code' ? pairingCode?.code : qr?.text
  return (
    <form
      className="inline simulated"
      onSubmit={(event) => {
        event.preventDefault()
        if (number === undefined || code === undefined) return
        setBusy(true)
        void say
          .attempt(() => (pairing === 'code' ? simulator.enterCode(number, code) : simulator.scan(number, code)))
          .then(() => setBusy(false))
      }}
    >
      <label>
        Simulated phone
        <select value={number ?? ''} onChange={(event) => setChosen(event.target.value)}>
          {candidates.map(({ phoneNumber, name }) => (
            <option key={phoneNumber} value={phoneNumber}>
              {phoneNumber} {name ?? ''}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" className="primary" disabled={busy || code === undefined || number === undefined}>
        {pairing === 'code' ? 'Enter the code' : 'Scan it'}
      </button>
    </form>
  )
}
