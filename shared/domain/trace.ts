/** Where a row came from: what ties the log lines and traces of one call together, from the API to WhatsApp. */
export interface Origin {
  /** Of the REST call (`x-request-id` of its answer), or the id of the message on a sends queue. */
  readonly requestId?: string
  /** X-Ray's trace header, where the call is traced. */
  readonly trace?: string
}

const form = /^Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;Parent=([0-9a-f]{16}))?(?:;Sampled=([01]))?/

/** The header as it may be stored and sent on: nothing where it is of another form, or the call is not traced. */
export function sampledTrace(header: string | undefined): string | undefined {
  const [, root, parent, sampled] = form.exec(header ?? '') ?? []
  if (root === undefined || sampled !== '1') return undefined
  return `Root=${root}${parent === undefined ? '' : `;Parent=${parent}`};Sampled=1`
}

export function originOf(requestId: string | undefined, trace: string | undefined): Origin | undefined {
  if (requestId === undefined && trace === undefined) return undefined
  return { ...(requestId === undefined ? {} : { requestId }), ...(trace === undefined ? {} : { trace }) }
}

/** Its ids, under the names that X-Ray's segments have. */
export function traceIds(trace: string): { readonly trace_id: string; readonly parent_id?: string } | undefined {
  const [, root, parent] = form.exec(trace) ?? []
  if (root === undefined) return undefined
  return { trace_id: root, ...(parent === undefined ? {} : { parent_id: parent }) }
}

/** For log lines. */
export function originFields(origin: Origin | undefined): { readonly requestId?: string; readonly traceId?: string } {
  const traceId = origin?.trace === undefined ? undefined : traceIds(origin.trace)?.trace_id
  return {
    ...(origin?.requestId === undefined ? {} : { requestId: origin.requestId }),
    ...(traceId === undefined ? {} : { traceId }),
  }
}
