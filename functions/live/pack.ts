import type { Connection } from '../../shared/api/connections.ts'
import { type ChangeFrame, type MessageFrame, messageEvents } from '../../shared/api/live.ts'

/** API Gateway refuses a WebSocket message above 128 KB; this leaves room for brackets and envelopes. */
export const payloadBytesMax = 120 * 1024

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** Cuts a list so that no part, as JSON, has more than `bytesMax` bytes. An item that is larger by itself is a part of its own. */
export function parts<T>(items: readonly T[], bytesMax: number): readonly (readonly T[])[] {
  const cut: T[][] = []
  let room = 0
  for (const item of items) {
    const bytes = bytesOf(item) + 1
    const current = cut.at(-1)
    if (current !== undefined && bytes <= room) {
      current.push(item)
      room -= bytes
    } else {
      cut.push([item])
      room = bytesMax - bytes
    }
  }
  return cut
}

/** What goes over a socket for these changes: one frame bare, several as arrays, each within API Gateway's limit. */
export function payloads(frames: readonly ChangeFrame[]): readonly string[] {
  return parts(frames.map(fitting), payloadBytesMax).map((part) => JSON.stringify(part.length === 1 ? part[0] : part))
}

/** Content that is too long for a socket is left out; the REST API gives it. */
function fitting(frame: ChangeFrame): ChangeFrame {
  if (bytesOf(frame) <= payloadBytesMax) return frame
  if (frame.event === 'operation-completed') {
    const { result: _result, ...data } = frame.data
    return { ...frame, data: { ...data, truncated: true } }
  }
  if (!isMessageFrame(frame)) return frame
  const { text: _text, contacts: _contacts, edit: _edit, mentions: _mentions, ...data } = frame.data
  return { ...frame, data: { ...data, truncated: true } }
}

export const isMessageFrame = (frame: ChangeFrame): frame is MessageFrame =>
  (messageEvents as readonly string[]).includes(frame.event)

export const connectionParts = (connections: readonly Connection[]): readonly (readonly Connection[])[] =>
  connections.length === 0 ? [[]] : parts(connections, payloadBytesMax)
