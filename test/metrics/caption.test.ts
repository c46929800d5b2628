/** Expected scores: pycocoevalcap ad63453 (test/reference/metrics/README.md), or by hand where a comment says how. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bleuOfCounts } from '../../src/metrics/caption/bleu.ts'
import { cider } from '../../src/metrics/caption/cider.ts'
import { createCorpus } from '../../src/metrics/caption/corpus.ts'
import { type CaptionScores, evaluateCaptions, scoreCorpus } from '../../src/metrics/caption/evaluate.ts'
import { commonSubsequence } from '../../src/metrics/caption/rouge.ts'
import { slowBleuCounts, slowCider, slowCommonSubsequence } from './naive-caption.ts'
import { readJson, synthetic } from './reference.ts'

const names = ['Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr'] as const

function close(actual: number, expected: number, what: string, tolerance = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: expected ${expected}, found ${actual}`)
}

function closeScores(found: CaptionScores, expected: ReturnType<typeof readJson>, what: string): void {
  for (const name of names) {
    close(found.metrics[name].corpus, expected.corpus[name], `${what}: ${name}`)
    assert.equal(found.metrics[name].perImage.length, expected.per_image[name].length)
    found.metrics[name].perImage.forEach((score, i) => {
      close(score, expected.per_image[name][i], `${what}: ${name} of image ${i}`)
    })
  }
  assert.deepEqual({ ...found.bleuTotals }, { ...expected.bleu_totals })
}

for (const { name, gts, res, ...expected } of readJson(synthetic('caption/edge-cases.json'))) {
  test(`tokenized text: ${name}`, () => {
    const ids = Object.keys(gts)
    const images = { candidates: ids.map((id) => res[id][0]), references: ids.map((id) => gts[id]) }
    closeScores(scoreCorpus(createCorpus(images)), expected, name)
  })
}

test('BLEU of counts', () => {
  // 3 of 4 words, 1 of 3 pairs, candidate 4 words, reference 5: brevity exp(1 - 5/4).
  const [one, two] = bleuOfCounts({ correct: [3, 1, 0, 0], guess: [4, 3, 2, 1], testlen: 4, reflen: 5 })
  close(one!, 0.75 * Math.exp(-0.25), 'BLEU-1')
  close(two!, Math.sqrt(0.75 / 3) * Math.exp(-0.25), 'BLEU-2')
})

test('plain CIDEr clips nothing', () => {
  // Two images, words of one image only: idf ln 2. Of "a a" against "a", one-word vectors (2) and (1) are parallel: cosine 1; longer
  // n-grams have none in common: 1/4 of 10. CIDEr-D clips 2·1 to 1·1 and so halves it, times exp(-1/72) for one bigram against none.
  const corpus = createCorpus({ candidates: ['a a', 'b'], references: [['a'], ['c']] })
  close(cider(corpus, 'cider').perImage[0]!, 2.5, 'CIDEr')
  close(cider(corpus, 'cider-d').perImage[0]!, 1.25 * Math.exp(-1 / 72), 'CIDEr-D')
  assert.equal(cider(corpus).perImage[1], 0)
})

/** Of each image of a case of edge-cases.json: `pyciderevalcap/cider` of github.com/vrama91/cider (its newest commit), Python 3.11. */
const plainCider: Readonly<Record<string, readonly number[]>> = {
  'two-images': [10, 10],
  'candidate-shorter-than-n': [0, 2.4639963991337224],
  clipping: [4.633883476483184, 10],
  'length-penalty': [7.928179428687107, 1.0212440207530322, 4.821970786560368],
  'many-refs': [4.2857142857142865, 0],
  'unseen-ngrams-df-1': [0, 5.109822740319809, 3.0068630366533124],
}
for (const { name, gts, res } of readJson(synthetic('caption/edge-cases.json'))) {
  const expected = plainCider[name]
  if (expected === undefined) continue
  test(`plain CIDEr: ${name}`, () => {
    const ids = Object.keys(gts)
    const corpus = createCorpus({ candidates: ids.map((id) => res[id][0]), references: ids.map((id) => gts[id]) })
    cider(corpus, 'cider').perImage.forEach((score, i) => {
      close(score, expected[i]!, `image ${i}`)
    })
  })
}

test('parts: BLEU and ROUGE-L as of sets of their own, CIDEr as in the whole set', () => {
  const { candidates, references } = randomImages(30)
  const all = candidates.map((_, i) => i)
  const odd = all.filter((i) => i % 2 === 1)
  const { metrics } = evaluateCaptions({ candidates, references, parts: [odd, all] })
  const alone = evaluateCaptions({
    candidates: odd.map((i) => candidates[i]!),
    references: odd.map((i) => references[i]!),
  })
  for (const name of names) {
    close(metrics[name].parts[1]!, metrics[name].corpus, `all: ${name}`)
    if (name !== 'CIDEr') close(metrics[name].parts[0]!, alone.metrics[name].corpus, `part: ${name}`)
  }
  const ofOdd = slowCider({ candidates, references }).filter((_, i) => i % 2 === 1)
  close(metrics.CIDEr.parts[0]!, ofOdd.reduce((sum, score) => sum + score, 0) / ofOdd.length, 'part: CIDEr')
  assert.notEqual(metrics.CIDEr.parts[0], alone.metrics.CIDEr.corpus)
})

test('no image, another number of references, an image without one: refused', () => {
  const refused = (candidates: string[], references: string[][], message: RegExp) =>
    assert.throws(() => evaluateCaptions({ candidates, references }), { name: 'DataError', message })
  refused([], [], /expected a candidate for each of 0 images, found 0/)
  refused(['a'], [['a'], ['b']], /expected a candidate for each of 2 images, found 1/)
  refused(['a', 'b'], [['a'], []], /image 1 of 2: expected at least one reference/)
})

/** Captions of a small vocabulary, so that n-grams repeat; a linear congruential generator. */
function randomImages(count: number) {
  let state = 7
  const next = (below: number) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
  const caption = () => Array.from({ length: next(12) }, () => 'abcde'[next(5)]).join(' ')
  return {
    candidates: Array.from({ length: count }, caption),
    references: Array.from({ length: count }, () => Array.from({ length: 1 + next(5) }, caption)),
  }
}

test('numbered n-grams give what counting texts gives', () => {
  const images = randomImages(60)
  const { metrics, bleuTotals } = scoreCorpus(createCorpus(images))
  const counts = images.candidates.map((candidate, i) => slowBleuCounts(candidate, images.references[i]!))
  counts.forEach((count, i) => {
    bleuOfCounts(count).forEach((score, n) => {
      close(metrics[names[n]!].perImage[i]!, score, `BLEU-${n + 1} of image ${i}`)
    })
  })
  assert.equal(
    bleuTotals.testlen,
    counts.reduce((sum, { testlen }) => sum + testlen, 0),
  )
  slowCider(images).forEach((score, i) => {
    close(metrics.CIDEr.perImage[i]!, score, `CIDEr-D of image ${i}`)
  })
})

test('longest common subsequence', () => {
  const words = (text: string) => [...text].map((letter) => letter.charCodeAt(0))
  assert.equal(commonSubsequence(words('abcbdab'), words('bdcaba')), 4) // Cormen et al., figure 15.8
  assert.equal(commonSubsequence([], words('a')), 0)
  for (const a of ['aab', 'abba', 'babab', ''])
    for (const b of ['ab', 'bbaa', 'abab'])
      assert.equal(commonSubsequence(words(a), words(b)), slowCommonSubsequence(a, b))
})
