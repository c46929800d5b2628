/**
 * How long the caption metrics take on a set of the size of COCO val2014, and how much memory.
 *
 *     npm run build:all && node build/bench/metrics.js /path/to/val2017-captions.json
 *
 * The file is COCO's captions_val2017.json, or one of its layout. The set (`scale-40504`): 40,504 images that take the captions of the
 * 5,000 in turn; image k has all captions of image k mod 5,000 for references, and for a candidate, in every third image, one of
 * them, else one of another image. The official tools (pycocoevalcap, Java tokenizer, one core of an AMD EPYC) take 38 s on it, of the
 * clock and of the processor alike: tokenizer 4.0, BLEU 6.6, ROUGE-L 4.1, CIDEr 23.2.
 */
import { bleu } from '../src/metrics/caption/bleu.ts'
import { cider } from '../src/metrics/caption/cider.ts'
import { createCorpus } from '../src/metrics/caption/corpus.ts'
import { tokenizeImages } from '../src/metrics/caption/evaluate.ts'
import { rougeL } from '../src/metrics/caption/rouge.ts'
import { readJson } from '../src/metrics/node-read.ts'
import { type CaptionFile, scaled } from '../test/support/caption-sets.ts'

const officialSeconds = 38

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('which file? node build/bench/metrics.js captions_val2017.json')
const images = scaled((await readJson(file)).content as CaptionFile, 40504)

const start = performance.now()
const startCpu = process.cpuUsage()
const tokenized = timed('tokenizer', () => tokenizeImages(images))
const corpus = timed('counting n-grams', () => createCorpus(tokenized))
const bleus = timed('BLEU', () => bleu(corpus))
const rouge = timed('ROUGE-L', () => rougeL(corpus))
const ciders = timed('CIDEr', () => cider(corpus))
const seconds = (performance.now() - start) / 1000
const { user, system } = process.cpuUsage(startCpu)
const cpuSeconds = (user + system) / 1e6

console.log(
  `all               ${seconds.toFixed(2)} s, ${(officialSeconds / seconds).toFixed(1)} times the official tools' speed`,
)
console.log(
  `of the processor  ${cpuSeconds.toFixed(2)} s, ${(officialSeconds / cpuSeconds).toFixed(1)} times; steadier on a busy machine`,
)
console.log(`peak memory       ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`)
console.log(`Bleu_4 ${bleus.corpus[3]}, ROUGE_L ${rouge.corpus}, CIDEr ${ciders.corpus}`)

function timed<T>(what: string, work: () => T): T {
  const begin = performance.now()
  const result = work()
  console.log(`${what.padEnd(17)} ${((performance.now() - begin) / 1000).toFixed(2)} s`)
  return result
}
