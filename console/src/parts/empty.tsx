import type { ReactNode } from 'react'

/** There is nothing here, and what to do about it. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <section className="empty">
      <h2>{title}</h2>
      {children !== undefined && <div>{children}</div>}
    </section>
  )
}
