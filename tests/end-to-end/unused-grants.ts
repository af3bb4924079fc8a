/**
 * Lists what the template grants and no run since has used: `node tests/end-to-end/unused-grants.ts`, after `npm test`. With
 * reasons where one is known. Exits with 1 when a grant is unused for no known reason.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { buildHoldfast } from '../../infra/build.ts'
import { readAssembly } from '../../local/engine/template/assembly.ts'
import { readModel } from '../../local/engine/template/model.ts'
import { usedWires } from './used-wires.ts'

const known: readonly { readonly action: RegExp; readonly role?: RegExp; readonly why: string }[] = [
  { action: /^logs:/, why: 'logs go to the terminal on one machine' },
  { action: /^ecr:/, why: 'there is no registry on one machine' },
  { action: /^xray:/, why: 'there is no tracing on one machine' },
  { action: /^kms:/, why: 'derived from calls on encrypted buckets, and counted by service' },
]

const outdir = mkdtempSync(join(tmpdir(), 'holdfast-cdk-'))
const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] } })
buildHoldfast(app)
app.synth()
const model = readModel(readAssembly(outdir), { endpoint: 'http://127.0.0.1:1', secretString: () => 'unused' })
const used = new Set(
  usedWires().allowed.flatMap(({ caller, request }) =>
    caller.kind === 'role' ? [`${caller.name} ${request.action}`] : [],
  ),
)

let unexplained = 0
for (const role of model.roles) {
  const granted = role.policies
    .flatMap(({ statements }) => statements)
    .filter(({ effect }) => effect === 'Allow')
    .flatMap(({ actions }) => actions.patterns)
  for (const action of [...new Set(granted)].sort()) {
    if (used.has(`${role.name} ${action}`)) continue
    const reason = known.find((rule) => rule.action.test(action) && (rule.role?.test(role.name) ?? true))
    if (reason === undefined) unexplained += 1
    console.log(`${role.name} ${action}: ${reason?.why ?? 'NOT USED'}`)
  }
}
console.log(unexplained === 0 ? 'every grant was used, or its reason is known' : `${unexplained} unused`)
process.exit(unexplained === 0 ? 0 : 1)
