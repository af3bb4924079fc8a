import type { Mutation } from './mutations.ts'

interface KnownWire {
  readonly kind: Mutation['kind']
  readonly name: RegExp
  readonly why: string
}

/** Wires whose removal no run on one machine notices, one by one, and why they are needed all the same. */
const known: readonly KnownWire[] = [
  { kind: 'grant', name: / logs:/, why: 'logs go to the terminal on one machine' },
  { kind: 'grant', name: / ecr:/, why: 'there is no registry on one machine' },
]

export const whyUnnoticed = ({ kind, name }: Pick<Mutation, 'kind' | 'name'>): string | undefined =>
  known.find((wire) => wire.kind === kind && wire.name.test(name))?.why
