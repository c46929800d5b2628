/** Retrieval in both directions, whose own work folder lies in that of the run. */
import { join } from 'node:path'
import type { Blip2 } from '../tasks/blip2.ts'
import { removeWork, retrieve } from '../tasks/retrieval/node-retrieve.ts'
import type { BenchmarkOf } from './config.ts'
import type { Prepared } from './node-prepare.ts'
import { rankSamples, textsOf } from './retrieval.ts'
import type { Run } from './run.ts'

export function retrievalRun(model: Blip2, benchmark: BenchmarkOf<'retrieval'>, prepared: Prepared): Run {
  const { samples, plan, dataFolder, skipUnreadable } = prepared
  const { note, image_size: _, ...preset } = benchmark.presets[plan.preset]!
  const settings = { ...preset, image_size: model.config.vision_config.image_size, exif: false }
  const { rule, ...dependsOn } = settings
  const encoder = model.retrieval
  return {
    settings,
    dependsOn,
    async compute(folder, { batch, model, onProgress, signal }) {
      const texts = textsOf(samples, preset.caption_text)
      const images = samples.map(({ image }) => join(dataFolder, image))
      const work = folder.kept('work')
      const result = await retrieve(
        encoder,
        { images, texts: texts.texts },
        {
          k: preset.k,
          rule,
          exif: settings.exif,
          maxTextLength: preset.max_text_length,
          imageBatch: batch,
          skipUnreadable,
          work: { folder: work, model },
          onProgress: ({ step, done, total }) => onProgress?.(step, done, total),
          signal,
        },
      )
      const { scores, predictions, results } = rankSamples(samples, texts, result)
      return {
        scored: result.images.map((image) => samples[image]!),
        predictions,
        results,
        scores,
        unreadable: result.unreadable.map(({ image, message }) => ({
          id: samples[image]!.id,
          image: images[image]!,
          reason: message,
        })),
        cleanUp: () => removeWork(work),
      }
    },
  }
}
