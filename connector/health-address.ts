import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Where a worker answers health checks: a Unix socket, so that any number of workers share a machine without ports. Named by
 * what the platform gives each of them, so that the check, which has the same environment, finds its own. Linux knows socket
 * names without a file (leading zero byte), which leaves the root file system read-only.
 */
export function healthAddress(
  env: { readonly ECS_CONTAINER_METADATA_URI_V4?: string | undefined },
  platform = process.platform,
): string {
  const own = env.ECS_CONTAINER_METADATA_URI_V4 ?? 'alone'
  const name = `holdfast-${createHash('sha256').update(own).digest('hex').slice(0, 24)}`
  return platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`)
}
