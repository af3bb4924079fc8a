/** What a run of local mode can be told, and what it gives back. */

import type { TargetScope } from '../../shared/net/targets.ts'
import type { ConsoleExtras } from './console-extras.ts'
import type { Credentials, EngineLog, Running } from './contracts.ts'
import type { LogLine } from './engine-log.ts'
import type { ServiceFault, StandingFault } from './front/faults.ts'
import type { Invocation } from './functions/invocations.ts'
import type { AllowedRequest, CallCount, RecordedCall } from './iam/ledger.ts'
import type { EmittedMetric } from './metrics.ts'
import type { Observe } from './observed.ts'
import type { StageSettings } from './synth.ts'
import type { StackTemplate } from './template/assembly.ts'

export type WhatsApp =
  /** The simulated server, as a child process. */
  | { readonly kind: 'simulated' }
  /** WhatsApp itself: nothing of the template is replaced. */
  | { readonly kind: 'live' }
  /** Any other server. `rootKey`: hex of the key that its certificate chain must lead to. */
  | { readonly kind: 'server'; readonly url: string; readonly rootKey: string | undefined }

export interface LocalOptions {
  /** The repository. */
  readonly root: string
  /** Absolute. Tables, objects, secrets and the simulator's phones. */
  readonly stateDir: string
  /** Absolute; built images and assemblies by content hash, shared by runs. Default: `.holdfast` in the repository. */
  readonly cacheDir?: string
  /** A synthesized assembly to run instead of the repository's own app. */
  readonly assemblyDir?: string
  /** Settings of the stage, beside those of cdk.json. */
  readonly settings?: StageSettings
  /** Of the REST and the WebSocket API; 0 takes a free one. */
  readonly port: number
  /** Of the console; 0 takes a free one. Absent: one above `port`, or a free one. */
  readonly consolePort?: number
  /** Tasks of each service; undefined: as the template says. */
  readonly workers?: number
  readonly whatsapp: WhatsApp
  /** Whether calls that the template's policies do not allow are refused. They are recorded either way. */
  readonly iam: boolean
  /** `any`: webhooks reach this machine and private networks, too. Default: as the template says, public addresses. */
  readonly targets?: TargetScope
  /** Forget everything that was kept. */
  readonly fresh: boolean
  /** Changes the templates before they are read; for tests that remove a wire. */
  readonly template?: (stacks: readonly StackTemplate[]) => readonly StackTemplate[]
  /** By container name, and by function name or construct path. Small and explicit: what is set here is not what runs on AWS. */
  readonly environmentOverrides?: {
    readonly containers?: Readonly<Record<string, Readonly<Record<string, string>>>>
    readonly functions?: Readonly<Record<string, Readonly<Record<string, string>>>>
  }
  /** Every line of every part, as it comes. */
  readonly print?: (line: LogLine) => void
  /** Told of each request, invocation and line as it happens. */
  readonly observe?: Observe
  /** Called when the APIs answer, beside the start of the workers; the start waits for both. */
  readonly alongside?: (apis: Pick<Local, 'httpUrl' | 'adminApiKey'>) => Promise<void>
  /** One line for each phase of the start. */
  readonly progress?: (message: string) => void
}

export interface Local extends Running {
  readonly httpUrl: string
  readonly liveUrl: string
  /** The console's page; undefined where the template has none. */
  readonly consoleUrl: string | undefined
  /** Gives the console of this machine what only it may have. */
  tellConsole(extras: ConsoleExtras): void
  readonly sendsQueueUrl: string
  readonly sendsFifoQueueUrl: string
  readonly adminApiKey: string
  /** The simulated server's control API; undefined with another server. */
  readonly simulatorUrl: string | undefined
  /** `http://127.0.0.1:PORT/_local` */
  readonly controlUrl: string
  readonly region: string
  /** Of all AWS services. */
  readonly endpoint: string
  /** May do everything. */
  readonly rootCredentials: Credentials
  readonly outputs: Readonly<Record<string, string>>
  readonly log: EngineLog
  calls(): {
    readonly counts: readonly CallCount[]
    readonly recent: readonly RecordedCall[]
    readonly allowed: readonly AllowedRequest[]
    readonly invocations: readonly Invocation[]
    /** Invocations that a missing permission or a missing entry of the environment made impossible, in words. */
    readonly failures: readonly string[]
  }
  /** Each AWS call from now on, as it reaches its service; gives the way to stop. */
  onCall(listener: (call: RecordedCall) => void): () => void
  logs(part?: string): readonly LogLine[]
  /** What functions and containers wrote in the embedded metric format. */
  metrics(): readonly EmittedMetric[]
  /** Kills functions in the middle of what they do, by the beginning of their titles; gives how many invocations that broke off. */
  killFunctions(title: string): Promise<number>
  /** Until it is ended, calls meet it. */
  injectFault(fault: ServiceFault): StandingFault
  /** Resolves when a part ended that nothing restarts. */
  readonly crashed: Promise<{ readonly part: string; readonly why: string }>
}
