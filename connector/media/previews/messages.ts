/** What the worker and its preview process say to each other. A medium is told by its number: begin, chunks, end. */

/** What is made of a medium. */
export type PreviewTask = 'thumbnail' | 'waveform' | 'duration'

/** Bytes as base64. */
export interface Preview {
  /** JPEG. */
  readonly thumbnail?: string
  /** Pixels. */
  readonly width?: number
  readonly height?: number
  /** One byte a bar, each from 0 to 100. */
  readonly waveform?: string
  readonly seconds?: number
}

export type ToPreviews =
  | {
      readonly kind: 'begin'
      readonly number: number
      readonly task: PreviewTask
      readonly mimeType: string
      readonly bytes: number
    }
  | { readonly kind: 'chunk'; readonly number: number; readonly chunk: Uint8Array }
  | { readonly kind: 'end'; readonly number: number }
  /** Nothing more comes, and nobody asks any more. */
  | { readonly kind: 'cancel'; readonly number: number }

export interface FromPreviews {
  readonly number: number
  readonly preview: Preview
  /** Why there is none. */
  readonly why?: string
}

/** Undefined: of such a medium nothing is made here. */
export function previewTask(mimeType: string): PreviewTask | undefined {
  if (mimeType === 'image/jpeg' || mimeType === 'image/png') return 'thumbnail'
  if (/opus/i.test(mimeType)) return 'waveform'
  if (mimeType === 'audio/mpeg' || mimeType === 'audio/aac' || mimeType === 'audio/ogg') return 'duration'
  return undefined
}
