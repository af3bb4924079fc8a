import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readDockerfile } from '../../../local/engine/containers/dockerfile.ts'
import { buildImage } from '../../../local/engine/containers/image.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

describe('a Dockerfile', () => {
  it('is read into the instructions that decide what runs', () => {
    const text = [
      '# comment',
      'ARG NODE=24',
      'FROM node:${NODE}-slim AS build',
      'WORKDIR /app',
      'COPY --chown=node:node package.json package-lock.json ./',
      'RUN --mount=type=cache,target=/home/node/.npm npm ci --omit=dev \\',
      '    && npm cache clean --force',
      'ENV NODE_ENV=production A="b c"',
      'USER node',
      'EXPOSE 80',
      'HEALTHCHECK CMD ["true"]',
      'ENTRYPOINT ["node"]',
      'CMD ["main.ts"]',
    ].join('\n')
    expect(readDockerfile(text, {})).toEqual([
      { kind: 'from', image: 'node:24-slim', stage: 'build' },
      { kind: 'workdir', path: '/app' },
      { kind: 'copy', from: undefined, sources: ['package.json', 'package-lock.json'], target: './' },
      { kind: 'npm ci', flags: ['--omit=dev'] },
      { kind: 'env', variables: { NODE_ENV: 'production', A: 'b c' } },
      { kind: 'entrypoint', command: ['node'] },
      { kind: 'cmd', command: ['main.ts'] },
    ])
  })

  it.each([
    ['FROM node:24\nRUN apt-get install -y curl', /line 2: .*apt-get install -y curl/],
    ['FROM python:3', /line 1: .*Node 24/],
    ['FROM node:24\nONBUILD RUN x', /line 2: .*ONBUILD/],
    ['WORKDIR /app', /begin with FROM/],
  ])('that local mode cannot carry out is an error that names the line: %j', (text, message) => {
    expect(() => readDockerfile(text, {})).toThrow(message)
  })
})

describe('an image', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-image-'))
    mkdirSync(join(directory, 'context/src'), { recursive: true })
    writeFileSync(join(directory, 'context/src/main.mjs'), 'export const x = 1\n')
    writeFileSync(join(directory, 'context/secret.txt'), 'not copied')
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const build = (dockerfile: string, tag = 'one') => {
    writeFileSync(join(directory, 'context/Dockerfile'), dockerfile)
    const asset = { directory: join(directory, 'context'), dockerFile: 'Dockerfile', buildArgs: {} }
    return buildImage(asset, tag, join(directory, 'cache'), silent)
  }

  it('holds what was copied and nothing else, through its stages', async () => {
    const image = await build(
      'FROM node:24 AS build\nWORKDIR /build\nCOPY src ./src\nFROM node:24\nWORKDIR /app\nCOPY --from=build /build/src ./lib\nENV A=1\nCMD ["node", "lib/main.mjs"]',
    )
    expect(readFileSync(join(image.root, 'app/lib/main.mjs'), 'utf8')).toContain('x = 1')
    expect(() => readFileSync(join(image.root, 'app/secret.txt'))).toThrow()
    expect(image).toMatchObject({
      workingDirectory: '/app',
      environment: { A: '1' },
      command: ['node', 'lib/main.mjs'],
    })
  })

  it('is built once for the same inputs', async () => {
    const dockerfile = 'FROM node:24\nCOPY src /app'
    const first = await build(dockerfile)
    writeFileSync(join(first.root, 'mark'), '')
    expect(readFileSync(join((await build(dockerfile)).root, 'mark'), 'utf8')).toBe('')
    expect((await build(dockerfile, 'two')).root).not.toBe(first.root)
  })

  it('whose COPY finds nothing is an error that names it', async () => {
    await expect(build('FROM node:24\nCOPY missing /app')).rejects.toThrow(/COPY missing/)
  })
})
