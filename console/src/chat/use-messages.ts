import { useEffect, useRef, useState } from 'react'
import type { Message } from '../../../shared/client/index.ts'
import { useLive, useSession } from '../session.tsx'

export interface Messages {
  readonly loaded: boolean
  /** Oldest first. */
  readonly messages: readonly Message[]
  readonly problem?: Error
  readonly more?: () => Promise<void>
}

const pageSize = 100

/** A connection's history, with what the live API says of it: whichever has the higher version is shown. */
export function useMessages(connectionId: string): Messages {
  const { client, store } = useSession()
  const { snapshots } = useLive()
  const [known, setKnown] = useState<ReadonlyMap<string, Message>>(new Map())
  const [next, setNext] = useState<string>()
  const [loaded, setLoaded] = useState(false)
  const [problem, setProblem] = useState<Error>()
  const begun = useRef(false)

  useEffect(
    () =>
      store.onMessage((message) => {
        if (message.connectionId === connectionId) setKnown((before) => merged(before, [message]))
      }),
    [store, connectionId],
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each snapshot, what came while nobody listened
  useEffect(() => {
    let here = true
    client.messages.list(connectionId, { limit: pageSize }).then(
      (page) => {
        if (!here) return
        setKnown((before) => merged(before, page.items))
        if (!begun.current) setNext(page.next)
        begun.current = true
        setProblem(undefined)
        setLoaded(true)
      },
      (error: Error) => here && setProblem(error),
    )
    return () => {
      here = false
    }
  }, [client, connectionId, snapshots])

  const more = async () => {
    const page = await client.messages.list(connectionId, { limit: pageSize, next })
    setKnown((before) => merged(before, page.items))
    setNext(page.next)
  }
  const messages = [...known.values()].sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  return {
    loaded,
    messages,
    // What is there stays there when a later look fails.
    ...(problem === undefined || loaded ? {} : { problem }),
    ...(next === undefined ? {} : { more }),
  }
}

function merged(known: ReadonlyMap<string, Message>, news: readonly Message[]): ReadonlyMap<string, Message> {
  const all = new Map(known)
  for (const message of news) {
    const before = all.get(message.messageId)
    // A frame may leave out a long content: the whole one is kept until a newer one comes.
    if (before === undefined || before.version < message.version) all.set(message.messageId, message)
  }
  return all
}
