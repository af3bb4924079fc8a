/**
 * A large document up and down, through the whole product in local mode: what the worker's memory grows by meanwhile, against
 * what it had right before. The bytes are compared where they arrive.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { phones, rest } from '../end-to-end/callers.ts'
import { type RunningPlace, startPlace } from '../end-to-end/place.ts'
import { Story } from '../end-to-end/story.ts'
import type { BenchOptions } from './options.ts'
import { residentMiB } from './process-figures.ts'
import type { Figures, Target } from './report.ts'

const MiB = 1024 * 1024
const largeBytes = 100 * MiB
/** Loads what the first medium of a worker loads. */
const warmUpBytes = 6 * MiB
const chunkBytes = MiB
const target: Target = { of: 'figure', atMost: 30 }
const customer = '4915112345678'
const business = '94714515253'

export async function media(
  { runs }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const place = await startPlace()
  const story = new Story(place, { stepMs: 120_000 })
  try {
    await story.adminCreatesProfileAndKey()
    await story.clientWatches()
    await story.phoneIsLinkedByQr()
    const pid = workerOf(place)
    const measured = async (
      move: () => Promise<void>,
    ): Promise<{ readonly grewMiB: number; readonly seconds: number }> => {
      const before = residentMiB(pid)
      forgetPeak(pid)
      const began = performance.now()
      await move()
      return { grewMiB: Math.max(0, peakMiB(pid) - before), seconds: (performance.now() - began) / 1_000 }
    }
    await up(place, story, warmUpBytes)
    await down(place, story, warmUpBytes)
    for (let run = 0; run < runs; run++) {
      for (const [way, move] of [
        ['up', () => up(place, story, largeBytes)],
        ['down', () => down(place, story, largeBytes)],
      ] as const) {
        const { grewMiB, seconds } = await measured(move)
        progress(
          `run ${run + 1} of ${runs}, ${way}: ${grewMiB.toFixed(1)} MiB more at the most, ${seconds.toFixed(1)} s`,
        )
        figures.add('holdfast', 1, `100 MiB document ${way}: memory of the worker grows by`, 'MiB', grewMiB, target)
        figures.add('holdfast', 1, `100 MiB document ${way}: time`, 's', seconds)
      }
    }
  } finally {
    story.close()
    await place.stop()
  }
}

/** Registered, put, sent, and compared on the recipient's phone. */
async function up(place: RunningPlace, story: Story, size: number): Promise<void> {
  const contentType = 'application/octet-stream'
  const { body } = await expectOk(story.tenant.post('/media', { contentType, size }))
  const hash = createHash('sha256')
  const put = await fetch(body.upload.url, {
    method: 'PUT',
    headers: body.upload.headers,
    body: Readable.toWeb(Readable.from(generated(size, hash))) as ReadableStream<Uint8Array>,
    duplex: 'half',
  } as RequestInit)
  if (put.status !== 200) throw new Error(`the upload was refused: ${put.status} ${await put.text()}`)
  const inbox = phones(place.simulatorUrl)
  const seen = (await inbox.inbox(customer, 0)).length
  const document = { id: body.mediaId, filename: 'large.bin' }
  await expectOk(
    story.tenant.post(`/connections/${story.connectionId}/messages`, { to: customer, type: 'document', document }),
  )
  const message = (await inbox.inbox(customer, seen + 1)).at(-1)
  const there = await fetch(`${place.simulatorUrl}/phones/${customer}/inbox/${message?.id}/media`)
  await compare(there, hash.digest('hex'))
}

/** Sent by a phone, downloaded on demand, and compared at its address. */
async function down(place: RunningPlace, story: Story, size: number): Promise<void> {
  const phone = rest(`${place.simulatorUrl}/phones/${customer}`)
  await expectOk(phone.post('/messages', { to: business, kind: 'document', size, fileName: 'large.bin' }))
  const { data } = await story.watcher.next(
    'the document',
    (frame) => frame.event === 'message-received' && frame.data.document?.bytes === size,
  )
  const path = `/connections/${story.connectionId}/messages/${data.messageId}/media`
  let answer = await expectOk(story.tenant.get(path, { prefer: 'wait=20' }))
  while (answer.status === 202) answer = await expectOk(story.tenant.get(path, { prefer: 'wait=20' }))
  await compare(await fetch(answer.body.download.url), Buffer.from(data.document.sha256, 'base64').toString('hex'))
}

async function compare(response: Response, sha256: string): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of response.body ?? []) hash.update(chunk)
  if (response.status !== 200 || hash.digest('hex') !== sha256) {
    throw new Error(`what arrived is not what was sent: ${response.status}`)
  }
}

function* generated(size: number, hash: ReturnType<typeof createHash>): Generator<Buffer> {
  for (let start = 0; start < size; start += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, size - start), start / chunkBytes)
    hash.update(chunk)
    yield chunk
  }
}

async function expectOk<T extends { readonly status: number; readonly body: unknown }>(call: Promise<T>): Promise<T> {
  const answer = await call
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
  return answer
}

/** Local mode runs the worker as a child of the process that it runs in. */
function workerOf(place: RunningPlace): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const worker = pids.find((pid) => {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]
      return (
        parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('connector/main.ts')
      )
    } catch {
      // Ended meanwhile.
      return false
    }
  })
  if (worker === undefined) throw new Error(`no worker runs at ${place.httpUrl}`)
  return Number(worker)
}

/** From now on the kernel counts the peak anew (proc(5), `clear_refs`). */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function peakMiB(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status: expected a line with VmHWM`)
  return Number(kilobytes) / 1024
}
