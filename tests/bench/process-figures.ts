/** What the kernel knows of a process (Linux). */
import { readFileSync } from 'node:fs'

const ticksPerSecond = 100

/** User and system time so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

export function residentMiB(pid: number): number {
  const [, kilobytes] = /^Rss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup: expected a line with Rss`)
  return Number(kilobytes) / 1024
}
