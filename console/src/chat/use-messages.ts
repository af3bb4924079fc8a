import { useEffect, useState } from 'react'
import type { Message } from '../../../shared/client/index.ts'
import { useSession } from '../session.tsx'

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
  const [known, setKnown] = useState<ReadonlyMap<string, Message>>(new Map())
  const [next, setNext] = useState<string>()
  const [loaded, setLoaded] = useState(false)
  const [problem, setProblem] = useState<Error>()

  useEffect(() => {
    let here = true
    const take = (messages: readonly Message[]) => here && setKnown((before) => merged(before, messages))
    const stop = store.onMessage((message) => {
      if (message.connectionId === connectionId) take([message])
    })
    client.messages.list(connectionId, { limit: pageSize }).then(
      (page) => {
        if (!here) return
        take(page.items)
        setNext(page.next)
        setLoaded(true)
      },
      (error: Error) => here && setProblem(error),
    )
    return () => {
      here = false
      stop()
    }
  }, [client, store, connectionId])

  const more = async () => {
    const page = await client.messages.list(connectionId, { limit: pageSize, next })
    setKnown((before) => merged(before, page.items))
    setNext(page.next)
  }
  const messages = [...known.values()].sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  return {
    loaded,
    messages,
    ...(problem === undefined ? {} : { problem }),
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
