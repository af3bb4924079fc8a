import type { HoldfastClient } from '../../../shared/client/index.ts'

type Send = Parameters<HoldfastClient['messages']['send']>[1]
type FileKind = 'image' | 'video' | 'audio' | 'document'

/** What WhatsApp's apps show as such; everything else goes as a document, as it is. */
const kinds: Readonly<Record<string, FileKind>> = {
  'image/jpeg': 'image',
  'image/png': 'image',
  'video/mp4': 'video',
  'video/3gpp': 'video',
  'audio/ogg': 'audio',
  'audio/mpeg': 'audio',
  'audio/mp4': 'audio',
  'audio/aac': 'audio',
  'audio/amr': 'audio',
}

export function kindOfFile({ type }: Pick<File, 'type'>): FileKind {
  return kinds[type.split(';')[0]?.trim().toLowerCase() ?? ''] ?? 'document'
}

/** @param id of the uploaded medium */
export function mediumOf(to: string, file: File, id: string, caption: string): Send {
  const captioned = { id, ...(caption.trim() === '' ? {} : { caption }) }
  const type = kindOfFile(file)
  switch (type) {
    case 'image':
      return { to, type, image: captioned }
    case 'video':
      return { to, type, video: captioned }
    case 'audio':
      return { to, type, audio: { id } }
    case 'document':
      return { to, type, document: { ...captioned, filename: file.name } }
  }
}
