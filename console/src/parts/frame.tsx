import type { ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { useLive, useSession } from '../session.tsx'

const linkWords = {
  connecting: 'Connecting…',
  open: 'Live',
  reconnecting: 'Live updates are interrupted; trying again…',
  closed: 'No live updates',
  offline: 'Offline',
} as const

/** Navigation and the state of the live link, around every page. */
export function Frame({ children }: { readonly children: ReactNode }) {
  const { place, signOut } = useSession()
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
          <Item href="/" begins="/connections">
            Connections
          </Item>
          <Item href="/events">Events</Item>
          <Item href="/webhooks" begins="/webhooks/">
            Webhooks
          </Item>
          <Item href="/keys">API keys</Item>
          <Item href="/fleet">Fleet</Item>
          <Item href="/dead-letters">Dead letters</Item>
          {place.local?.simulator !== undefined && <Item href="/phones">Simulated phones</Item>}
        </nav>
        <div className="end">
          <span className={`live ${link}`} role="status">
            {linkWords[link]}
          </span>
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
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
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
  return (
    <Link href={href} aria-current={current ? 'page' : undefined}>
      {children}
    </Link>
  )
}
