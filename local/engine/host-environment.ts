/** The one place of local mode that reads this process's environment: what its children need from the machine. */

export interface HostEnvironment {
  readonly path: string
  readonly javaHome: string | undefined
  /** Where Node keeps what it compiled, as variables for a child; none where this process keeps nothing. */
  readonly compileCache: Readonly<Record<string, string>>
  /** For tools that run as the person does: the CDK app, npm. */
  readonly all: Readonly<Record<string, string | undefined>>
}

export function hostEnvironment(): HostEnvironment {
  const directory = process.env['NODE_COMPILE_CACHE']
  return {
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    javaHome: process.env['JAVA_HOME'],
    compileCache: directory === undefined ? {} : { NODE_COMPILE_CACHE: directory },
    all: process.env,
  }
}
