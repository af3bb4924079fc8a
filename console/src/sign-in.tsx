import { type FormEvent, type ReactNode, useEffect, useMemo, useState } from 'react'
import { HoldfastClient, ProblemError } from '../../shared/client/index.ts'
import type { Place } from './config.ts'
import { Field } from './parts/field.tsx'
import { problemText } from './parts/notices.tsx'
import { Provider } from './provider.ts'

export interface SignedIn {
  readonly client: HoldfastClient
  /** Belongs to a business profile; operators need not. */
  readonly tenant: boolean
  /** May make the admin calls. */
  readonly operator?: HoldfastClient
  /** By a provider, as a person. */
  readonly provider?: Provider
  /** Absent where there is nothing to sign out of. */
  readonly signOut?: (then: () => void) => void
}

export interface SignInProps {
  readonly place: Place
  readonly onSignedIn: (signedIn: SignedIn) => void
}

/** Kept for this tab only, and gone with it. */
const storedKey = 'holdfast.apiKey'

/** By the provider where there is one; else, or where somebody prefers it, by an API key. */
export function SignIn({ place, onSignedIn }: SignInProps) {
  const { signIn } = place.config
  const provider = useMemo(() => (signIn === undefined ? undefined : new Provider(signIn)), [signIn])
  const [byKey, setByKey] = useState(
    provider === undefined || place.local !== undefined || sessionStorage.getItem(storedKey) !== null,
  )
  if (provider === undefined || byKey) {
    const back = provider === undefined ? undefined : () => setByKey(false)
    return <KeySignIn place={place} onSignedIn={onSignedIn} back={back} />
  }
  return <ProviderSignIn place={place} provider={provider} onSignedIn={onSignedIn} preferKey={() => setByKey(true)} />
}

interface ProviderSignInProps extends SignInProps {
  readonly provider: Provider
  readonly preferKey: () => void
}

/** To the provider's own page and back; then what the person may do is found out by trying it. */
function ProviderSignIn({ place, provider, onSignedIn, preferKey }: ProviderSignInProps) {
  const [step, setStep] = useState<'looking' | 'signed-out' | 'leaving' | 'refused'>('looking')
  const [problem, setProblem] = useState<string>()

  useEffect(() => {
    const look = async () => {
      if ((await provider.resume()) === 'signed-out') {
        setStep('signed-out')
        return
      }
      const { httpUrl: baseUrl, liveUrl } = place.config
      const client = new HoldfastClient({ baseUrl, liveUrl, token: provider.token, fetch: provider.fetch })
      const [own, admin] = await Promise.allSettled([client.connections.list({ limit: 1 }), client.operators.fleet()])
      const [tenant, operator] = [own.status === 'fulfilled', admin.status === 'fulfilled']
      if (own.status === 'rejected' && !operator) {
        setProblem(problemText(own.reason))
        setStep('refused')
        return
      }
      const signOut = (then: () => void) => void provider.signOut(then)
      onSignedIn({ client, tenant, provider, signOut, ...(operator ? { operator: client } : {}) })
    }
    look().catch((error: unknown) => {
      setProblem(`Signing in did not work: ${problemText(error)}`)
      setStep('signed-out')
    })
  }, [place, provider, onSignedIn])

  const leave = () => {
    setStep('leaving')
    setProblem(undefined)
    provider.begin().catch((error: unknown) => {
      setProblem(`The sign-in page cannot be reached: ${problemText(error)}`)
      setStep('signed-out')
    })
  }

  if (step === 'looking') {
    return (
      <main className="alone">
        <p role="status">Signing in…</p>
      </main>
    )
  }
  return (
    <main className="alone">
      <section className="card sign-in">
        <Title />
        {step !== 'refused' && <p>Link phones, see them live, write and read messages.</p>}
        {step === 'refused' && <p>You are signed in as {provider.name}, but nothing here is open to you.</p>}
        <Problem>{problem}</Problem>
        {step === 'refused' ? (
          <button type="button" className="primary" onClick={() => void provider.signOut(() => setStep('signed-out'))}>
            Sign out
          </button>
        ) : (
          <button type="button" className="primary" disabled={step === 'leaving'} onClick={leave}>
            {step === 'leaving' ? 'To the sign-in page…' : 'Sign in'}
          </button>
        )}
        <button type="button" className="plain" onClick={preferKey}>
          Use an API key instead
        </button>
      </section>
    </main>
  )
}

interface KeySignInProps extends SignInProps {
  /** To the provider, where there is one. */
  readonly back: (() => void) | undefined
}

/** On one's own machine the demo's key is there already; else an API key is asked for, and tried before it is believed. */
function KeySignIn({ place, onSignedIn, back }: KeySignInProps) {
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
        onSignedIn({ client, tenant: true })
        return
      }
      sessionStorage.setItem(storedKey, apiKey)
      const signOut = (then: () => void) => {
        sessionStorage.removeItem(storedKey)
        then()
      }
      onSignedIn({ client, tenant: true, signOut })
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
        <Title />
        <Field
          label="API key"
          hint="Of your business profile. It stays in this tab and is forgotten with it."
          type="password"
          autoComplete="off"
          required
          value={key}
          onChange={setKey}
        />
        <Problem>{problem}</Problem>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        {back !== undefined && (
          <button type="button" className="plain" onClick={back}>
            Sign in without a key
          </button>
        )}
      </form>
    </main>
  )
}

function Title() {
  return (
    <h1>
      <img src="/icon.svg" alt="" width="32" height="32" /> Holdfast
    </h1>
  )
}

function Problem({ children }: { readonly children: ReactNode }) {
  if (children === undefined) return null
  return (
    <p className="problem" role="alert">
      {children}
    </p>
  )
}
