import type { Media as Medium, NewMedia } from '../../api/media.ts'
import type { Body } from '../contract.ts'
import type { Http } from '../http.ts'
import { ProblemError } from '../problem-error.ts'
import { putBytes } from '../upload.ts'

export interface UploadOptions {
  /** Default: the blob's own type. */
  readonly contentType?: string
  /** Default: the file's own name. */
  readonly filename?: string
  readonly signal?: AbortSignal
  /** In browsers again and again, elsewhere once at the end. */
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void
}

/** Media to send, and those of messages. */
export class Media {
  readonly #http: Http
  readonly #fetch: typeof fetch

  constructor(http: Http, put: typeof fetch = (input, init) => fetch(input, init)) {
    this.#http = http
    this.#fetch = put
  }

  /**
   * Registers a medium and puts its bytes where they belong. A `File`, or in Node `fs.openAsBlob(path)`, is streamed.
   *
   * @returns the medium; messages name its `mediaId`
   * @throws {ProblemError} also where the storage refuses the upload
   */
  async upload(file: Blob | Uint8Array<ArrayBuffer>, options: UploadOptions = {}): Promise<Medium> {
    const { signal, onProgress } = options
    const blob = file instanceof Blob ? file : undefined
    const contentType = options.contentType ?? (blob?.type || 'application/octet-stream')
    const filename = options.filename ?? nameOf(file)
    const size = blob?.size ?? (file as Uint8Array).byteLength
    const { upload, ...medium } = await this.create({ contentType, size, ...(filename && { filename }) })
    // The length is the platform's to say.
    const { 'Content-Length': _, ...headers } = upload.headers
    const { url, method } = upload
    const status = await putBytes(
      { url, method, headers, body: file, ...(signal && { signal }), ...(onProgress && { onProgress }) },
      this.#fetch,
    )
    if (status < 200 || status > 299) throw new ProblemError(status, { detail: 'The upload was refused.' }, null)
    return { ...medium, state: 'ready' }
  }

  /** For who uploads by themselves. */
  create(medium: Body<'POST /media'>): Promise<NewMedia> {
    return this.#http.request('POST /media', { body: medium })
  }

  get(mediaId: string): Promise<Medium> {
    return this.#http.request('GET /media/{mediaId}', { params: { mediaId } })
  }

  async delete(mediaId: string): Promise<void> {
    await this.#http.request('DELETE /media/{mediaId}', { params: { mediaId } })
  }

  /**
   * The medium of a message. One that was received is downloaded from WhatsApp first: `state` is `fetching` until then, and
   * `operationId` names what to poll.
   *
   * @param waitSeconds how long to wait for that, at most 20
   */
  ofMessage(connectionId: string, messageId: string, waitSeconds = 20): Promise<Medium> {
    return this.#http.request('GET /connections/{connectionId}/messages/{messageId}/media', {
      params: { connectionId, messageId },
      headers: { prefer: `wait=${waitSeconds}` },
    })
  }
}

function nameOf(file: Blob | Uint8Array): string | undefined {
  return 'name' in file && typeof file.name === 'string' && file.name !== '' ? file.name : undefined
}
