/** Whether a Java that DynamoDB Local can run on is there. */
import { spawnSync } from 'node:child_process'

const MAJOR_MIN = 17

export const JAVA_MISSING =
  'DynamoDB Local needs Java 17 or newer: install it (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)'

/** The path or name of the executable. @throws {Error} one sentence that says what to install */
export function findJava(javaHome: string | undefined): string {
  const executable = javaHome === undefined ? 'java' : `${javaHome}/bin/java`
  const found = spawnSync(executable, ['-version'], { encoding: 'utf8' })
  // `openjdk version "17.0.15"`; before 9 it was `1.8.0_292`.
  const major = Number(/version "(\d+)/.exec(`${found.stderr}${found.stdout}`)?.[1] ?? 0)
  if (found.error !== undefined || major < MAJOR_MIN) throw new Error(JAVA_MISSING)
  return executable
}
