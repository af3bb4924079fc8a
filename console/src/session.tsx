import { createContext, type ReactNode, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { type Connection, HoldfastClient } from '../../shared/client/index.ts'
import type { Place } from './config.ts'
import { type LiveState, LiveStore } from './live-store.ts'
import type { Provider } from './provider.ts'
import type { SignedIn } from './sign-in.tsx'

export interface Session {
  readonly place: Place
  readonly client: HoldfastClient
  readonly store: LiveStore
  /** Whether there is a business profile, whose pages these are. */
  readonly tenant: boolean
  /** Who signed in by it. */
  readonly provider: Provider | undefined
  /** With the admin key or the role: dead letters and the fleet. */
  readonly operator: HoldfastClient | undefined
  readonly setAdminKey: (key: string | undefined) => void
  readonly signOut: (() => void) | undefined
}

const SessionContext = createContext<Session | undefined>(undefined)

export interface SessionProps {
  readonly place: Place
  readonly signedIn: SignedIn
  readonly signOut: (() => void) | undefined
  readonly children: ReactNode
}

/** A person who is signed in: one client, one socket for all pages. */
export function SessionProvider({ place, signedIn, signOut, children }: SessionProps) {
  const { client, tenant, provider } = signedIn
  const [adminKey, setAdminKey] = useState(place.local?.adminApiKey)
  const store = useMemo(() => new LiveStore(client), [client])
  useEffect(() => {
    if (!tenant) return
    store.start()
    return () => store.stop()
  }, [store, tenant])
  const operator = useMemo(
    () =>
      adminKey === undefined
        ? signedIn.operator
        : new HoldfastClient({ baseUrl: place.config.httpUrl, apiKey: adminKey, liveUrl: place.config.liveUrl }),
    [adminKey, place, signedIn],
  )
  const session = useMemo(
    () => ({ place, client, tenant, provider, store, operator, setAdminKey, signOut }),
    [place, client, tenant, provider, store, operator, signOut],
  )
  return <SessionContext value={session}>{children}</SessionContext>
}

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === undefined) throw new Error('outside of a session')
  return session
}

export function useLive(): LiveState {
  const { store } = useSession()
  return useSyncExternalStore(store.subscribe, store.state)
}

export function useConnection(connectionId: string): Connection | undefined {
  return useLive().connections.find((connection) => connection.connectionId === connectionId)
}
