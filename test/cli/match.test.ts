import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadBlip2 } from '../../src/index.ts'
import { writeFirstStage } from '../support/first-stage.ts'
import { repositoryRoot } from '../support/paths.ts'
import { blip2, objects, scene, tiny } from './cli.ts'

interface MatchLine {
  readonly image: string
  readonly text: string
  readonly itc: number
  readonly itm: number
  readonly error?: string
}

const photo = join(repositoryRoot, 'test', 'images', 'fixtures', 'rgb.jpg')
const folder = mkdtempSync(join(tmpdir(), 'blip2-cli-match-'))
const model = join(folder, 'model')
before(() => writeFirstStage(model))
after(() => rmSync(folder, { recursive: true }))

test('--json has the fields of the contract and what the library says, for every image and text', async () => {
  const file = join(folder, 'texts.txt')
  writeFileSync(file, 'two cats\nthe sea\n')
  const args = [scene, 'a dog', '--image', photo, '--texts', file, '--model', model, '--json']
  const outcome = await blip2(['match', ...args])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.equal(outcome.stderr, '')
  const texts = ['a dog', 'two cats', 'the sea']
  const library = await loadBlip2(model)
  try {
    const expected: MatchLine[] = []
    for (const image of [scene, photo]) {
      for (const { text, itc, itm } of await library.match(image, texts)) expected.push({ image, text, itc, itm })
    }
    assert.deepEqual(objects<MatchLine>(outcome), expected)
  } finally {
    await library.dispose()
  }
})

test('without --json: percent and similarity', async () => {
  const outcome = await blip2(['match', scene, 'a dog', 'two cats', '--model', model])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.match(outcome.lines[0]!, /scene\.png: +\d+\.\d % match, similarity -?0\.\d{3}: a dog$/)
  assert.equal(outcome.lines.length, 2)
})

test('an image that cannot be read has an error for each text, the others go on', async () => {
  const missing = join(folder, 'missing.jpg')
  const outcome = await blip2(['match', missing, 'a', 'b', '--image', scene, '--model', model, '--json'])
  assert.equal(outcome.code, 1)
  const lines = objects<MatchLine>(outcome)
  assert.deepEqual(
    lines.map(({ image, text }) => [image, text]),
    [missing, scene].flatMap((image) => ['a', 'b'].map((text) => [image, text])),
  )
  assert.match(lines[1]!.error!, /missing\.jpg: no such file/)
  assert.ok(lines[2]!.itm > 0)
})

test('--no-clean and --max-text-length change what is read', async () => {
  const score = async (...args: string[]) =>
    objects<MatchLine>(await blip2(['match', scene, 'A dog!', '--model', model, '--json', ...args]))[0]!.itc
  const [usual, asItIs, short] = await Promise.all([score(), score('--no-clean'), score('--max-text-length', '4')])
  assert.equal(new Set([usual, asItIs, short]).size, 3)
})

test('a text that is cut is noted', async () => {
  const outcome = await blip2(['match', scene, 'abcdefgh', '--model', model, '--json', '--max-text-length', '5'])
  assert.equal(outcome.code, 0)
  assert.equal(outcome.stderr, 'note: texts of more than 5 tokens are cut there, the first one is: abcdefgh\n')
})

test('wrong usage: exit code 2; models and files that will not do: exit code 1', async () => {
  const cases: readonly [args: string[], code: number, message: RegExp][] = [
    [[], 2, /missing required argument 'image'/],
    [[scene], 2, /no text; give one, or --texts FILE/],
    [[scene, ' '], 2, /a text is empty/],
    [[scene, 'a', '--model', ''], 2, /--model \(BLIP2_MODEL\) is empty/],
    [[scene, 'a', '--model', 'scenes'], 1, /^error: match: scenes is .*such as scenes-retrieval \(/],
    [[scene, 'a', '--model', model, '--batch', '0'], 2, /'--batch <n>' argument '0' is invalid/],
    [[scene, 'a', '--model', tiny], 1, /^error: match: .*captions and answers.*such as blip2_3rdparty_retrieval/],
    [[scene, '--texts', join(folder, 'nope.txt'), '--model', model], 1, /nope\.txt: cannot be read/],
    [[scene, 'a', '--model', model, '--max-text-length', '21'], 1, /maxTextLength: expected an integer from 3 to 20/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => blip2(['match', ...args])))
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i]!.code, code, `${args.join(' ')}: ${outcomes[i]!.stderr}`)
    assert.match(outcomes[i]!.stderr, message)
    assert.equal(outcomes[i]!.stdout, '')
  }
})

test('caption uses the captioning head; vqa says which models answer', async () => {
  const [caption, answer] = await Promise.all([
    blip2(['caption', scene, '--model', model, '--json', '--max-new-tokens', '5']),
    blip2(['vqa', scene, 'what is it', '--model', model]),
  ])
  assert.equal(caption.code, 0, caption.stderr)
  assert.equal(typeof objects(caption)[0]!.pred_caption, 'string')
  assert.equal(answer.code, 1)
  assert.match(answer.stderr, /^error: answer: .* is a model for retrieval, .*such as blip2-opt-2\.7b/)
})
