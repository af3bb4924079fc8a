/** Puts bytes at an address, and says how far it is where the platform can tell. */

export interface Upload {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Blob | Uint8Array<ArrayBuffer>
  readonly signal?: AbortSignal
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void
}

/** As much as is used here of what browsers have and Node has not. */
interface ProgressRequest {
  readonly status: number
  readonly upload: {
    onprogress: ((event: { readonly loaded: number; readonly total: number }) => void) | null
  }
  onload: (() => void) | null
  onerror: (() => void) | null
  onabort: (() => void) | null
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  send(body: unknown): void
  abort(): void
}

/**
 * @returns the answer's status
 * @throws {TypeError} when there is no answer, as `fetch` does; the signal's reason when it was aborted
 */
export async function putBytes(upload: Upload, put: typeof fetch): Promise<number> {
  const { url, method, headers, body, signal, onProgress } = upload
  const { XMLHttpRequest: Request } = globalThis as { XMLHttpRequest?: new () => ProgressRequest }
  // `fetch` does not tell how much of a body has left.
  if (onProgress !== undefined && Request !== undefined) return putWatched(upload, new Request(), onProgress)
  const response = await put(url, { method, headers, body, ...(signal && { signal }) })
  const bytes = body instanceof Blob ? body.size : body.byteLength
  onProgress?.(bytes, bytes)
  return response.status
}

function putWatched(
  { url, method, headers, body, signal }: Upload,
  request: ProgressRequest,
  onProgress: NonNullable<Upload['onProgress']>,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  if (signal?.aborted) return Promise.reject(signal.reason)
  const abort = () => request.abort()
  signal?.addEventListener('abort', abort, { once: true })
  request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total)
  request.onload = () => resolve(request.status)
  request.onerror = () => reject(new TypeError('The storage did not answer.'))
  request.onabort = () => reject(signal?.reason)
  request.open(method, url)
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
  request.send(body)
  return promise.finally(() => signal?.removeEventListener('abort', abort))
}
