/** What the pool and its worker threads say to each other. */

export interface WorkerSetup {
  /** Absolute folder of the bundled asset. */
  readonly directory: string
  /** `index.handler` */
  readonly handler: string
}

export interface InvokeMessage {
  readonly kind: 'invoke'
  /** JSON, so that a function gets exactly what JSON can carry. */
  readonly event: string
  readonly context: {
    readonly functionName: string
    readonly functionArn: string
    readonly memoryMb: number
    readonly requestId: string
    readonly deadlineMs: number
  }
}

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'broken'
      readonly errorType: string
      readonly errorMessage: string
      readonly trace: readonly string[]
    }
  | { readonly kind: 'ok'; readonly payload: string }
  | {
      readonly kind: 'error'
      readonly errorType: string
      readonly errorMessage: string
      readonly trace: readonly string[]
    }
