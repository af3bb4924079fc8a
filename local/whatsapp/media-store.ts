/**
 * Uploaded media on disk: one file each, streamed in and out, never whole in memory. Without a state directory the files
 * lie in a temporary folder that ends with the server. The name says all that is known of a file, so that a restarted server finds it.
 */

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Bytes } from './media-crypto.ts'

export type Lookup = { kind: 'found'; length: number } | { kind: 'missing' } | { kind: 'expired' }

export interface StoredMedium {
  /** SHA-256 of the uploaded bytes in base64url, a dot, and what tells two uploads of the same bytes apart. */
  id: string
  sha256: Buffer
  length: number
}

export interface MediumEntry {
  id: string
  state: 'stored' | 'expired'
  length: number
}

const ID = /^[A-Za-z0-9_-]{43}\.[0-9a-f]{12}$/
const STORED = '.enc'
const EXPIRED = '.expired'

export class MediaStore {
  readonly #stateDirectory: string | undefined
  /** Made for the first upload only: most servers never see one. */
  #temporary: Promise<string> | undefined

  private constructor(stateDirectory: string | undefined) {
    this.#stateDirectory = stateDirectory
  }

  static async open(stateDir: string | undefined): Promise<MediaStore> {
    if (stateDir === undefined) return new MediaStore(undefined)
    const directory = join(stateDir, 'media')
    await mkdir(directory, { recursive: true })
    for (const file of await readdir(directory)) if (file.endsWith('.part')) await rm(join(directory, file))
    return new MediaStore(directory)
  }

  /** Resolves when the bytes are on disk under their name; undefined if they do not have the expected digest. */
  async write(source: Bytes, expectedSha256?: Buffer): Promise<StoredMedium | undefined> {
    const part = join(await this.#directory(), `${randomBytes(12).toString('hex')}.part`)
    const hash = createHash('sha256')
    let length = 0
    const observe = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        hash.update(chunk)
        length += chunk.length
        yield chunk
      }
    }
    try {
      await pipeline(Readable.from(source), observe, createWriteStream(part))
      const sha256 = hash.digest()
      if (expectedSha256 && !sha256.equals(expectedSha256)) {
        await rm(part)
        return undefined
      }
      const id = `${sha256.toString('base64url')}.${freshSuffix()}`
      await rename(part, await this.#path(id, STORED))
      return { id, sha256, length }
    } catch (error) {
      await rm(part, { force: true })
      throw error
    }
  }

  async find(id: string): Promise<Lookup> {
    if (!ID.test(id)) return { kind: 'missing' }
    const found = await stat(await this.#path(id, STORED)).catch(() => undefined)
    if (found) return { kind: 'found', length: found.size }
    const expired = await stat(await this.#path(id, EXPIRED)).catch(() => undefined)
    return { kind: expired ? 'expired' : 'missing' }
  }

  /** Bytes `start` to `end`, both included. */
  async *read(id: string, range: { start?: number; end?: number } = {}): AsyncGenerator<Buffer> {
    yield* createReadStream(await this.#path(id, STORED), range)
  }

  /** The download answers 410 from now on; phones that sent it can still upload it again. False if there is no such medium. */
  async expire(id: string): Promise<boolean> {
    if ((await this.find(id)).kind !== 'found') return false
    await rename(await this.#path(id, STORED), await this.#path(id, EXPIRED))
    return true
  }

  /** The download answers 404 from now on, and nobody can upload it again. */
  async remove(id: string): Promise<boolean> {
    if ((await this.find(id)).kind === 'missing') return false
    await rm(await this.#path(id, STORED), { force: true })
    await rm(await this.#path(id, EXPIRED), { force: true })
    return true
  }

  /** As a phone that uploads a medium again: the same bytes under a new id, or undefined if they are gone. */
  async renew(id: string): Promise<string | undefined> {
    const { kind } = await this.find(id)
    if (kind === 'missing') return undefined
    const renewed = `${id.split('.')[0]}.${freshSuffix()}`
    await copyFile(await this.#path(id, kind === 'found' ? STORED : EXPIRED), await this.#path(renewed, STORED))
    return renewed
  }

  async list(): Promise<MediumEntry[]> {
    const entries: MediumEntry[] = []
    const directory = await this.#directory()
    for (const file of (await readdir(directory)).sort()) {
      const suffix = [STORED, EXPIRED].find((each) => file.endsWith(each))
      const found = suffix && (await stat(join(directory, file)).catch(() => undefined))
      if (!suffix || !found) continue
      const state = suffix === STORED ? 'stored' : 'expired'
      entries.push({ id: file.slice(0, -suffix.length), state, length: found.size })
    }
    return entries
  }

  async close(): Promise<void> {
    if (this.#temporary) await rm(await this.#temporary, { recursive: true, force: true })
  }

  async #directory(): Promise<string> {
    if (this.#stateDirectory !== undefined) return this.#stateDirectory
    this.#temporary ??= mkdtemp(join(tmpdir(), 'whatsapp-media-'))
    return this.#temporary
  }

  async #path(id: string, suffix: string): Promise<string> {
    return join(await this.#directory(), `${id}${suffix}`)
  }
}

function freshSuffix(): string {
  return randomBytes(6).toString('hex')
}
