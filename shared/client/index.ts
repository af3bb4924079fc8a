/** Holdfast's client: `new HoldfastClient({ baseUrl, apiKey, liveUrl })`. */
export { type ClientOptions, HoldfastClient, type Page, type PageOptions } from './client.ts'
export { Live, type LiveEventName, type LiveEvents, type LiveListener, type LiveOptions } from './live.ts'
export { ProblemError } from './problem-error.ts'
