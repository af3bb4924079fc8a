/** The one place of local mode that reads this process's environment: what its children need from the machine. */

export interface HostEnvironment {
  readonly path: string
  readonly javaHome: string | undefined
  /** For tools that run as the person does: the CDK app, npm. */
  readonly all: Readonly<Record<string, string | undefined>>
}

export function hostEnvironment(): HostEnvironment {
  return {
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    javaHome: process.env['JAVA_HOME'],
    all: process.env,
  }
}
