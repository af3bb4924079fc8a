/**
 * Children must not outlive this process, also when it is killed with SIGKILL and can run no handler. A tiny shell watches:
 * its standard input is a pipe from this process, which the kernel closes when this process ends; then it kills the child.
 */
import { type ChildProcess, spawn } from 'node:child_process'

export interface Reaper {
  /** The child has ended; nothing to watch any more. */
  release(): void
}

export function endWithParent(child: ChildProcess): Reaper {
  if (child.pid === undefined) return { release: () => undefined }
  const watcher = spawn(
    '/bin/sh',
    ['-c', `trap '' INT TERM HUP; read line; [ "$line" = released ] || kill -9 ${child.pid}`],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    },
  )
  watcher.stdin.on('error', () => undefined)
  watcher.on('error', () => undefined)
  watcher.unref()
  const release = (): void => {
    if (!watcher.stdin.destroyed) watcher.stdin.end('released\n')
  }
  child.once('exit', release)
  return { release }
}
