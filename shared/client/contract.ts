import type { z } from 'zod'
import type { routes } from '../api/routes.ts'

/**
 * What the REST contract says of each call, as types: nothing of it is there when the client runs. A call is named by its
 * method and path, `GET /connections/{connectionId}`; what may be given to it and what it answers follow.
 */
type Contract = {
  readonly [Id in keyof typeof routes as `${(typeof routes)[Id]['method']} ${(typeof routes)[Id]['path']}`]: (typeof routes)[Id]
}
export type Call = keyof Contract

/** JSON body of the call; `undefined` where it has none. */
export type Body<C extends Call> = Contract[C] extends { readonly body: infer Schema extends z.ZodType }
  ? z.input<Schema>
  : undefined

/** JSON body of a good answer; `undefined` where it has none. */
export type Answer<C extends Call> = Contract[C]['response'] extends { readonly body: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : undefined

/** A query says everything as text: what the contract reads from it as a number or a choice may be given as such. */
type InQuery<V> = V extends string | number | boolean | undefined ? V : string
type Fields<Schema extends z.ZodType> = { readonly [K in keyof z.output<Schema>]: InQuery<z.output<Schema>[K]> }
export type Query<C extends Call> = Partial<Fields<Contract[C]['query']>>

type ParamName<P extends string> = P extends `${string}{${infer Name}}${infer Rest}` ? Name | ParamName<Rest> : never
/** What stands in the path's braces; encoded by the client. */
export type Params<C extends Call> = { readonly [K in ParamName<C>]: string }

interface Options<C extends Call> {
  readonly query?: Query<C>
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
}
type GivenParams<C extends Call> = [ParamName<C>] extends [never] ? unknown : { readonly params: Params<C> }
type GivenBody<C extends Call> = [Body<C>] extends [undefined] ? unknown : { readonly body: Body<C> }
/** What a call needs, and what it may have. */
export type Input<C extends Call> = Options<C> & GivenParams<C> & GivenBody<C>

/** The input may be left out where nothing of it is needed. */
export type InputArguments<C extends Call> =
  Record<never, never> extends Input<C> ? [input?: Input<C>] : [input: Input<C>]
