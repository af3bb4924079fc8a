import { type FormEvent, useEffect, useState } from 'react'
import { HoldfastClient, ProblemError } from '../../shared/client/index.ts'
import type { Place } from './config.ts'
import { Field } from './parts/field.tsx'
import { problemText } from './parts/notices.tsx'

export interface SignedIn {
  readonly client: HoldfastClient
  /** Absent where there is nothing to sign out of. */
  readonly signOut?: (then: () => void) => void
}

export interface SignInProps {
  readonly place: Place
  readonly onSignedIn: (signedIn: SignedIn) => void
}

/** Kept for this tab only, and gone with it. */
const storedKey = 'holdfast.apiKey'

/** On one's own machine the demo's key is there already; else an API key is asked for, and tried before it is believed. */
export function SignIn({ place, onSignedIn }: SignInProps) {
  const [key, setKey] = useState('')
  const [problem, setProblem] = useState<string>()
  const [busy, setBusy] = useState(false)

  const enter = async (apiKey: string, how: 'typed' | 'kept' | 'local') => {
    setBusy(true)
    setProblem(undefined)
    const client = new HoldfastClient({ baseUrl: place.config.httpUrl, apiKey, liveUrl: place.config.liveUrl })
    try {
      await client.connections.list({ limit: 1 })
      if (how === 'local') {
        onSignedIn({ client })
        return
      }
      sessionStorage.setItem(storedKey, apiKey)
      const signOut = (then: () => void) => {
        sessionStorage.removeItem(storedKey)
        then()
      }
      onSignedIn({ client, signOut })
    } catch (error) {
      sessionStorage.removeItem(storedKey)
      const wrong = error instanceof ProblemError && (error.status === 401 || error.status === 403)
      setProblem(wrong ? `The key was not accepted: ${error.message}` : problemText(error))
      setBusy(false)
    }
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: only once, with what is there at the start
  useEffect(() => {
    const kept = sessionStorage.getItem(storedKey)
    if (place.local !== undefined) void enter(place.local.apiKey, 'local')
    else if (kept !== null) void enter(kept, 'kept')
  }, [])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    void enter(key.trim(), 'typed')
  }

  return (
    <main className="alone">
      <form className="card sign-in" onSubmit={submit}>
        <h1>
          <img src="/icon.svg" alt="" width="32" height="32" /> Holdfast
        </h1>
        <Field
          label="API key"
          hint="Of your business profile. It stays in this tab and is forgotten with it."
          type="password"
          autoComplete="off"
          required
          value={key}
          onChange={setKey}
        />
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  )
}
