import type { BenchOptions } from './options.ts'
import type { Figures } from './report.ts'

export async function failover(
  options: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  progress(String(options.connections ?? figures))
}
