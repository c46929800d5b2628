/** Captions and answers of a language model, kept one by one. */
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import type { Blip2 } from '../tasks/blip2.ts'
import type { BenchmarkOf } from './config.ts'
import { openJournal } from './node-journal.ts'
import type { Prepared } from './node-prepare.ts'
import { predict, type Unreadable } from './predict.ts'
import type { Outcome, Run } from './run.ts'
import type { Sample } from './sample.ts'
import { askedOf, type Settings, searchOptions, settingsOf } from './settings.ts'

export function generationRun(
  model: Blip2,
  benchmark: BenchmarkOf<'caption' | 'vqa' | 'gqa'>,
  prepared: Prepared,
): Run {
  const { name, config } = model
  if (!('text_config' in config))
    throw new ConfigError(`${name}: has no language model, which ${benchmark.title} needs`)
  const { image_size } = config.vision_config
  const settings = settingsOf(benchmark, prepared.plan.preset, config.text_config.model_type, image_size)
  const { accuracy, ...predicting } = settings
  return {
    settings: { ...settings },
    dependsOn: predicting,
    async compute(folder, options) {
      const journal = await openJournal(folder.kept('predictions.jsonl'))
      try {
        const unreadable = await predictRest(model, prepared, settings, journal, options)
        return outcomeOf(prepared, journal.predictions, unreadable)
      } finally {
        await journal.close()
      }
    },
  }
}

async function predictRest(
  model: Blip2,
  { samples, dataFolder, skipUnreadable }: Prepared,
  settings: Settings,
  journal: Awaited<ReturnType<typeof openJournal>>,
  { batch, onProgress, signal }: Parameters<Run['compute']>[1],
): Promise<Unreadable[]> {
  const rest = groupedByImage(samples.filter(({ id }) => !journal.predictions.has(id)))
  const items = rest.map((sample) => ({
    id: sample.id,
    image: join(dataFolder, sample.image),
    ...askedOf(settings, sample),
  }))
  let done = samples.length - items.length
  onProgress?.('predicting', done, samples.length)
  const unreadable: Unreadable[] = []
  const search = searchOptions(settings)
  for await (const { texts, unreadable: skipped } of predict(model, items, {
    batch,
    search,
    exif: settings.exif,
    skipUnreadable,
    ...(signal && { signal }),
  })) {
    await journal.append(texts)
    unreadable.push(...skipped)
    done += texts.length + skipped.length
    onProgress?.('predicting', done, samples.length)
  }
  return unreadable
}

/** So that an image is encoded once for all questions about it. */
function groupedByImage(samples: readonly Sample[]): Sample[] {
  const groups = new Map<string, Sample[]>()
  for (const sample of samples) {
    const group = groups.get(sample.image)
    if (group === undefined) groups.set(sample.image, [sample])
    else group.push(sample)
  }
  return [...groups.values()].flat()
}

function outcomeOf(
  { samples, data }: Prepared,
  predictions: Outcome['predictions'],
  unreadable: Unreadable[],
): Outcome {
  const { dataset } = data
  const scored = samples.filter(({ id }) => predictions.has(id))
  return {
    scored,
    predictions,
    results: dataset.results(scored, predictions),
    scores: scored.length === 0 ? undefined : dataset.score?.(scored, predictions),
    unreadable,
  }
}
