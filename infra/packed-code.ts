/**
 * What is deployed, as `npm run build:construct` has put it beside the published construct: stands there in the place of
 * `code.ts`, so that neither a bundler nor our sources' packages are needed where it is used.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda'

const here = dirname(fileURLToPath(import.meta.url))

/** @param handler path below `functions/`, e.g. `http/connections` */
export function handlerCode(handler: string): AssetCode {
  const folder = join(here, 'functions', handler)
  if (!existsSync(folder)) throw new Error(`the package lacks functions/${handler}: install it again`)
  return Code.fromAsset(folder)
}

export function imageContext(): string {
  return join(here, 'image')
}
