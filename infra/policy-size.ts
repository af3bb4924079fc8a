/** ARNs of one statement. A managed policy has 6,144 characters at most, and the CDK splits policies between statements only. */
const resourcesPerStatement = 32

/** The resources of as many statements as they need, so that a stage of any size can be deployed. */
export function inStatements(resources: readonly string[]): readonly (readonly string[])[] {
  const statements: (readonly string[])[] = []
  for (let first = 0; first < resources.length; first += resourcesPerStatement) {
    statements.push(resources.slice(first, first + resourcesPerStatement))
  }
  return statements
}
