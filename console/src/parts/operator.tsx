import { type ReactNode, useState } from 'react'
import type { HoldfastClient } from '../../../shared/client/index.ts'
import { useSession } from '../session.tsx'
import { Field } from './field.tsx'

/** Pages that need the admin key: it is asked for, kept in memory only, and gone at the next load. */
export function Operator({ children }: { readonly children: (client: HoldfastClient) => ReactNode }) {
  const { operator, setAdminKey } = useSession()
  const [key, setKey] = useState('')
  if (operator !== undefined) return <>{children(operator)}</>
  return (
    <form
      className="card sign-in"
      onSubmit={(event) => {
        event.preventDefault()
        setAdminKey(key.trim())
      }}
    >
      <Field
        label="Admin key"
        hint="This page is for operators. The key is in Secrets Manager; it is kept until the page is reloaded."
        type="password"
        autoComplete="off"
        required
        value={key}
        onChange={setKey}
      />
      <button type="submit" className="primary">
        Continue
      </button>
    </form>
  )
}
