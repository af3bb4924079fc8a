import { useEffect, useState } from 'react'
import { Route, Router, Switch } from 'wouter'
import { useHashLocation } from 'wouter/use-hash-location'
import { findPlace, type Place } from './config.ts'
import { ConnectionPage } from './pages/connection.tsx'
import { ConnectionsPage } from './pages/connections.tsx'
import { DeadLettersPage } from './pages/dead-letters.tsx'
import { EventsPage } from './pages/events.tsx'
import { FleetPage } from './pages/fleet.tsx'
import { KeysPage } from './pages/keys.tsx'
import { PhonesPage } from './pages/phones.tsx'
import { WebhookPage } from './pages/webhook.tsx'
import { WebhooksPage } from './pages/webhooks.tsx'
import { Empty } from './parts/empty.tsx'
import { Frame } from './parts/frame.tsx'
import { Notices, problemText } from './parts/notices.tsx'
import { SessionProvider } from './session.tsx'
import { type SignedIn, SignIn } from './sign-in.tsx'

/** The console: finds its configuration, lets a person sign in, shows the page of the address. */
export function App() {
  const [place, setPlace] = useState<Place | Error>()
  const [signedIn, setSignedIn] = useState<SignedIn>()
  useEffect(() => {
    findPlace().then(setPlace, (error: unknown) => setPlace(error instanceof Error ? error : new Error(String(error))))
  }, [])

  if (place === undefined) {
    return (
      <main className="alone">
        <p role="status">Loading…</p>
      </main>
    )
  }
  if (place instanceof Error) {
    return (
      <main className="alone">
        <Empty title="The console cannot start">
          <p>{problemText(place)}</p>
          <button type="button" onClick={() => location.reload()}>
            Try again
          </button>
        </Empty>
      </main>
    )
  }
  if (signedIn === undefined) return <SignIn place={place} onSignedIn={setSignedIn} />
  const signOut = signedIn.signOut && (() => signedIn.signOut?.(() => setSignedIn(undefined)))
  return (
    <Router hook={useHashLocation}>
      <Notices>
        <SessionProvider place={place} signedIn={signedIn} signOut={signOut}>
          <Frame>{signedIn.tenant ? <Pages /> : <OperatorPages />}</Frame>
        </SessionProvider>
      </Notices>
    </Router>
  )
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={ConnectionsPage} />
      <Route path="/connections/:connectionId/:tab?">
        {({ connectionId, tab }) => (
          <ConnectionPage key={connectionId} connectionId={connectionId} tab={tab ?? 'chats'} />
        )}
      </Route>
      <Route path="/events" component={EventsPage} />
      <Route path="/webhooks" component={WebhooksPage} />
      <Route path="/webhooks/:webhookId">
        {({ webhookId }) => <WebhookPage key={webhookId} webhookId={webhookId} />}
      </Route>
      <Route path="/fleet" component={FleetPage} />
      <Route path="/keys" component={KeysPage} />
      <Route path="/dead-letters" component={DeadLettersPage} />
      <Route path="/phones" component={PhonesPage} />
      <Route>
        <Empty title="There is no such page">
          <a href="#/">Go to the connections</a>
        </Empty>
      </Route>
    </Switch>
  )
}

/** Of somebody who belongs to no business profile. */
function OperatorPages() {
  return (
    <Switch>
      <Route path="/dead-letters" component={DeadLettersPage} />
      <Route component={FleetPage} />
    </Switch>
  )
}
