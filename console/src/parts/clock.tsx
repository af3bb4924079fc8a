import { useEffect, useState } from 'react'

/** The time, every second while somebody looks. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return now
}

/** Seconds left, counting down; nothing once they are over. */
export function Countdown({
  until,
  before,
  after,
}: {
  readonly until: string
  readonly before: string
  readonly after: string
}) {
  const left = Math.ceil((Date.parse(until) - useNow()) / 1_000)
  return left > 0 ? (
    <span>
      {before} {left} s
    </span>
  ) : (
    <span>{after}</span>
  )
}

const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export function Time({ at }: { readonly at: string | undefined }) {
  if (at === undefined) return <span>–</span>
  const date = new Date(at)
  const format = date.toDateString() === new Date().toDateString() ? today : earlier
  return (
    <time dateTime={at} title={date.toLocaleString()}>
      {format.format(date)}
    </time>
  )
}
