import type { z } from 'zod'
import type { OperationId, RouteContract, routes } from '../../shared/api/routes.ts'
import type { Principals } from './principal.ts'

type Contract<Id extends OperationId> = (typeof routes)[Id]
type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined

/** A call that passed authentication and validation, typed by its row in the table of routes. */
export interface Call<Id extends OperationId> {
  readonly principal: Principals[Contract<Id>['auth']]
  readonly params: Output<Contract<Id>['params']>
  readonly query: Output<Contract<Id>['query']>
  readonly headers: Contract<Id> extends { readonly headers: infer Schema } ? Output<Schema> : undefined
  readonly body: Contract<Id> extends { readonly body: infer Schema } ? Output<Schema> : undefined
  /** Of this request; its answer carries it as `x-request-id`. */
  readonly requestId: string
  /** The `Accept` header. */
  readonly accept: string | undefined
}

type ResponseBody<Id extends OperationId> = Contract<Id>['response'] extends { readonly body: infer Schema }
  ? Schema extends z.ZodType
    ? z.input<Schema>
    : never
  : undefined

export type Answer<Id extends OperationId> =
  | {
      readonly body: ResponseBody<Id>
      readonly headers?: Readonly<Record<string, string>>
      /** The route's other good status, `response.also`, instead of its first. */
      readonly also?: true
    }
  /** One of the route's other media types. Bytes travel as base64. */
  | {
      readonly mediaType: string
      readonly content: string | Uint8Array
      readonly headers?: Readonly<Record<string, string>>
    }

export type Operation<Id extends OperationId> = (call: Call<Id>) => Promise<Answer<Id>>
export type Operations = { readonly [Id in OperationId]?: Operation<Id> }

/** An operation as the stack runs it, after the types have done their work. */
export interface BoundOperation {
  readonly route: RouteContract
  run(call: unknown): Promise<{
    readonly body?: unknown
    readonly also?: true
    readonly headers?: Readonly<Record<string, string>>
    readonly mediaType?: string
    readonly content?: string | Uint8Array
  }>
}
