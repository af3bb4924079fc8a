/** Which chats' messages a connection does not store. They are decrypted and acknowledged all the same. */
export interface Ignoring {
  readonly groups?: boolean
  /** Status updates of contacts. */
  readonly status?: boolean
  /** What channels publish. */
  readonly channels?: boolean
}

/** What holds where nothing is set. */
export const ignoringDefault = { groups: false, status: true, channels: true } as const satisfies Ignoring

export const statusChat = 'status@broadcast'

export const isChannel = (jid: string): boolean => jid.endsWith('@newsletter')

export function isIgnored(chat: string, ignore: Ignoring = {}): boolean {
  if (chat === statusChat) return ignore.status ?? ignoringDefault.status
  if (chat.endsWith('@g.us')) return ignore.groups ?? ignoringDefault.groups
  if (isChannel(chat)) return ignore.channels ?? ignoringDefault.channels
  return false
}
