import type { Command } from 'commander'
import { writeAtomically } from '../../checkpoints/node-write.ts'
import { DataError } from '../../errors.ts'
import type { RetrievalScores } from '../../metrics/retrieval/evaluate.ts'
import { evaluateRankings } from '../../metrics/retrieval/ranked.ts'
import type { Blip2 } from '../../tasks/blip2.ts'
import { type RetrievalResult, removeWork, retrieve } from '../../tasks/retrieval/node-retrieve.ts'
import type { RetrievalStep } from '../../tasks/retrieval/progress.ts'
import { captionText } from '../../tokenizers/lavis-text.ts'
import { count } from '../format.ts'
import { scoreLines } from '../metrics/lines.ts'
import { withModel } from '../model.ts'
import { createOutput, type Output } from '../output.ts'
import type { RetrieveFlags } from '../retrieve.ts'
import { modelIdentity } from './identity.ts'
import { type Inputs, readInputs } from './inputs.ts'
import { imageRows, imageText, textRows, textText } from './print.ts'

export async function retrieveAll(command: Command, flags: RetrieveFlags, signal: AbortSignal): Promise<void> {
  const output = createOutput(flags.json)
  const inputs = await readInputs(flags)
  await withModel(command, flags, output, signal, (model) => retrieveWith(model, inputs, flags, output, signal))
}

export async function retrieveWith(
  model: Blip2,
  inputs: Inputs,
  flags: RetrieveFlags,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { out, k, rule, top, work = `${out ?? 'blip2-retrieve'}.work`, keepWork } = flags
  const result = await search(model, inputs, { ...flags, work }, output, signal)
  for (const { image, message } of result.unreadable) {
    output.failure(new DataError(message), { image: inputs.images[image] })
  }
  const recall = inputs.pairs && evaluateRankings(result, inputs.pairs)
  if (out === undefined) {
    for (const row of imageRows(result, inputs, top)) output.result(row, imageText(row))
    for (const row of textRows(result, inputs, top)) output.result(row, textText(row))
  } else await writeAtomically(out, resultFile(model, result, recall, inputs, flags))
  if (recall) {
    const object = { ...recall, images: result.images.length, texts: inputs.texts.length, k, rule }
    output.result(object, scoreLines(Object.entries(recall), 2))
  }
  if (!keepWork) await removeWork(work)
}

const steps: Readonly<Record<RetrievalStep, string>> = {
  images: 'encoding images',
  texts: 'encoding texts',
  similarity: 'comparing all images with all texts',
  matching: 'matching pairs',
}

async function search(
  { retrieval }: Blip2,
  { images, texts }: Inputs,
  flags: RetrieveFlags & { readonly work: string },
  output: Output,
  signal: AbortSignal,
): Promise<RetrievalResult> {
  const { k, rule, similarity, skipUnreadable, clean, maxTextLength, exif, batch, textBatch, features, work, fresh } =
    flags
  const read = clean ? texts.map((text) => captionText(text)) : texts
  let begun = false
  try {
    return await retrieve(
      retrieval,
      { images, texts: read },
      {
        ...{ k, rule, imageBatch: batch, textBatch, features, similarity, skipUnreadable, maxTextLength, exif, signal },
        work: { folder: work, model: await modelIdentity(flags), fresh },
        onProgress({ step, done, total }) {
          begun = true
          output.progress(steps[step], done, total, count)
        },
      },
    )
  } catch (error) {
    if (begun) output.note(`what was done so far is in ${work}; the same command (without --fresh) goes on from there`)
    throw error
  } finally {
    output.clear()
  }
}

/** One JSON object, with a line for each image and each text. */
function* resultFile(
  { name }: Blip2,
  result: RetrievalResult,
  recall: RetrievalScores | undefined,
  inputs: Inputs,
  { k, rule, top }: RetrieveFlags,
): Generator<string> {
  const unreadable = result.unreadable.map(({ image, message }) => ({ image: inputs.images[image], error: message }))
  const facts = { model: name, k, rule, pairs: result.pairs, ...(recall && { recall }), unreadable }
  yield `${JSON.stringify(facts).slice(0, -1)},\n"images": [\n`
  yield* lines(imageRows(result, inputs, top))
  yield '],\n"texts": [\n'
  yield* lines(textRows(result, inputs, top))
  yield ']}\n'
}

function* lines(rows: Iterable<object>): Generator<string> {
  let between = ''
  for (const row of rows) {
    yield `${between}${JSON.stringify(row)}`
    between = ',\n'
  }
  yield '\n'
}
