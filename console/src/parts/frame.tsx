import { type ReactNode, useEffect, useRef, useSyncExternalStore } from 'react'
import { Link, useLocation } from 'wouter'
import type { Provider } from '../provider.ts'
import { useLive, useSession } from '../session.tsx'
import { useSay } from './notices.tsx'

const linkWords = {
  connecting: 'Connecting…',
  open: 'Live',
  reconnecting: 'Live updates are interrupted; trying again…',
  closed: 'No live updates',
  offline: 'Offline',
} as const

/** Navigation and the state of the live link, around every page. */
export function Frame({ children }: { readonly children: ReactNode }) {
  const { place, tenant, provider, signOut } = useSession()
  const { link, problem } = useLive()
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>Holdfast</span>
          {place.config.stage !== 'production' && <small>{place.local ? 'this machine' : place.config.stage}</small>}
        </Link>
        <nav aria-label="Main">
          {tenant && (
            <>
              <Item href="/" begins="/connections">
                Connections
              </Item>
              <Item href="/events">Events</Item>
              <Item href="/webhooks" begins="/webhooks/">
                Webhooks
              </Item>
              <Item href="/keys">API keys</Item>
            </>
          )}
          <Item href="/fleet">Fleet</Item>
          <Item href="/dead-letters">Dead letters</Item>
          {place.local?.simulator !== undefined && <Item href="/phones">Simulated phones</Item>}
        </nav>
        <div className="end">
          {tenant && (
            <span className={`live ${link}`} role="status">
              {linkWords[link]}
            </span>
          )}
          {provider !== undefined && (
            <span className="who" title={`Signed in as ${provider.name}`}>
              {provider.name}
            </span>
          )}
          {signOut !== undefined && (
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          )}
        </div>
      </header>
      {link === 'offline' && (
        <p className="banner" role="alert">
          You are offline. What you see may be out of date; it goes on by itself when you are back.
        </p>
      )}
      {problem !== undefined && (
        <p className="banner" role="alert">
          Live updates ended: {problem.message} Reload the page to try again.
        </p>
      )}
      {provider !== undefined && <SignInAgain provider={provider} />}
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}

/** What was typed stays until the person leaves for the provider's page. */
function SignInAgain({ provider }: { readonly provider: Provider }) {
  const say = useSay()
  const ended = useSyncExternalStore(provider.subscribe, provider.ended)
  if (!ended) return null
  return (
    <p className="banner" role="alert">
      Your sign-in has ended.{' '}
      <button type="button" onClick={() => void say.attempt(() => provider.begin())}>
        Sign in again
      </button>
    </p>
  )
}

function Item({
  href,
  begins,
  children,
}: {
  readonly href: string
  readonly begins?: string
  readonly children: string
}) {
  const [location] = useLocation()
  const current = location === href || (begins !== undefined && location.startsWith(begins))
  const link = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    if (!current) return
    document.title = `${children} · Holdfast`
    // On a phone the links are a line that scrolls.
    link.current?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [current, children])
  return (
    <Link ref={link} href={href} aria-current={current ? 'page' : undefined}>
      {children}
    </Link>
  )
}
