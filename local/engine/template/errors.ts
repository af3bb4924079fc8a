/** Something in the template that local mode cannot run. The message names the resource and what is wrong with it. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly at: string

  constructor(at: string, problem: string) {
    super(`${at}: ${problem}`)
    this.at = at
  }
}
