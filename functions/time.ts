import type { IsoTime } from '../shared/domain/words.ts'

/** Now, or `offsetMs` from now, as rows and answers say it. */
export const isoNow = (offsetMs = 0): IsoTime => new Date(Date.now() + offsetMs).toISOString()
