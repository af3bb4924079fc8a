/**
 * Loaded by `node --import` before a container's own code, in its worker threads too: nothing outside the image's root can be
 * imported. (Threads made from source text, `eval: true`, are not covered: Node loads no `--import` for their code.) The root lies below the repository, whose node_modules would else hide what the image lacks.
 */
import { refuseImportsFromOutside } from '../functions/bundle-only.ts'

const root = new URL(import.meta.url).searchParams.get('root')
if (root === null) throw new Error('the image guard is loaded with ?root=FOLDER')
refuseImportsFromOutside(root)
