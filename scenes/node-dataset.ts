/** Scenes on disk, in the layouts of the benchmarks: COCO captions, VQA v2, LAVIS's retrieval lists. */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { DataError } from '../src/errors.ts'
import { randomFor } from '../src/random.ts'
import { caption, contentOf, fullCaption } from './captions.ts'
import { drawPicture } from './draw.ts'
import { askAbout, type QuestionKind, questionKinds } from './questions.ts'
import { drawText } from './texts.ts'
import { languageTokenizer, vocabTxt } from './vocabulary.ts'
import { drawScene, type Scene, type Split } from './world.ts'

/** Pixels of a side. */
export const side = 64

/** Kinds of questions that no picture is ever trained with: the language model has read them, the second stage has not seen them. */
export const unseenKinds: readonly QuestionKind[] = ['pattern', 'more']

const captionsPerScene = 5

export interface DatasetSizes {
  readonly train: number
  /** Training pictures with one thing each. */
  readonly single: number
  readonly validation: number
  readonly test: number
  readonly novel: number
  /** Lines of text for the language model. */
  readonly texts: number
}

export interface Part {
  readonly name: 'train' | 'single' | 'validation' | 'test' | 'novel'
  readonly split: Split
  /** Of the world: parts of one split must not share scenes. */
  readonly seed: number
}

const parts: readonly Part[] = [
  { name: 'train', split: 'train', seed: 1 },
  { name: 'single', split: 'train', seed: 6 },
  { name: 'validation', split: 'test', seed: 2 },
  { name: 'test', split: 'test', seed: 3 },
  { name: 'novel', split: 'novel', seed: 4 },
]

/** The last file that is written. */
const lastFile = 'language-tokenizer/tokenizer.json'

/** Writes everything to `folder`, which appears when it is complete; an earlier data set is replaced, any other folder refused. */
export async function writeDataset(
  folder: string,
  sizes: DatasetSizes,
  onScene?: (done: number) => void,
): Promise<void> {
  const found = await readdir(folder).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw new DataError(`${folder}: ${error.message}`, { cause: error })
  })
  if (found.length > 0 && !(await isFile(join(folder, lastFile))))
    throw new DataError(`${folder}: expected a data set of scenes or nothing, found ${found[0]}; name another folder`)
  const draft = `${folder}.writing`
  await rm(draft, { recursive: true, force: true })
  await mkdir(join(draft, 'images'), { recursive: true })
  let done = 0
  for (const part of parts) {
    const scenes = Array.from({ length: sizes[part.name] }, (_, i) => sceneOf(part, i))
    await writeAnnotations(draft, part, scenes)
    for (let start = 0; start < scenes.length; start += 64) {
      const some = scenes.slice(start, start + 64)
      await Promise.all(some.map((scene, i) => writePicture(join(draft, 'images', imageName(part, start + i)), scene)))
      done += some.length
      onScene?.(done)
    }
  }
  const texts = Array.from({ length: sizes.texts }, (_, i) => drawText(5, i))
  await writeFile(join(draft, 'texts.jsonl'), texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  await writeTokenizers(draft)
  await rm(folder, { recursive: true, force: true })
  await rename(draft, folder)
}

/** Of the part `single` only the first thing. */
function sceneOf({ name, seed, split }: Part, index: number): Scene {
  const scene = drawScene(seed, split, index)
  return name === 'single' ? { ...scene, things: scene.things.slice(0, 1) } : scene
}

function imageName({ name }: Part, index: number): string {
  return `${name}_${String(index).padStart(6, '0')}.png`
}

export async function writePicture(file: string, scene: Scene): Promise<void> {
  const { data, width, height } = drawPicture(scene, side)
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(file)
}

async function writeAnnotations(folder: string, part: Part, scenes: readonly Scene[]): Promise<void> {
  const images = scenes.map((_, id) => ({ id, file_name: imageName(part, id), width: side, height: side }))
  const random = (what: string, id: number) => randomFor(`${what}:${part.seed}:${id}`)

  const captions = scenes.flatMap((scene, image_id) => {
    const draw = random('captions', image_id)
    const texts = [
      fullCaption(draw, scene),
      ...Array.from({ length: captionsPerScene - 1 }, () => caption(draw, scene)),
    ]
    return texts.map((text, i) => ({ id: image_id * captionsPerScene + i, image_id, caption: text }))
  })
  const info = { description: 'drawn scenes', split: part.name }
  await writeJson(folder, `captions_${part.name}.json`, { info, images, annotations: captions })

  // The first of each alone: everything that can be said.
  const descriptions = captions.filter(({ id }) => id % captionsPerScene === 0)
  await writeJson(folder, `descriptions_${part.name}.json`, { info, images, annotations: descriptions })

  // One more caption of each, as results: what somebody scores who sees everything and says it in another way.
  const more = scenes.map((scene, image_id) => ({
    image_id,
    caption: caption(random('more captions', image_id), scene),
  }))
  await writeJson(folder, `more-captions_${part.name}.json`, more)

  const asked = scenes.flatMap((scene, image_id) => {
    const draw = random('questions', image_id)
    return questionKinds.flatMap((kind) => {
      if (part.split === 'train' && unseenKinds.includes(kind)) return []
      const found = askAbout(draw, scene, kind)
      return found ? [{ ...found, image_id, question_id: image_id * 100 + questionKinds.indexOf(kind) }] : []
    })
  })
  await writeJson(folder, `questions_${part.name}.json`, {
    info,
    questions: asked.map(({ question_id, image_id, question }) => ({ question_id, image_id, question })),
  })
  await writeJson(folder, `answers_${part.name}.json`, {
    info,
    annotations: asked.map(({ question_id, image_id, kind, answer }) => ({
      question_id,
      image_id,
      question_type: kind,
      answer_type: answer === 'yes' || answer === 'no' ? 'yes/no' : /^\d$/.test(answer) ? 'number' : 'other',
      multiple_choice_answer: answer,
      answers: Array.from({ length: 10 }, (_, i) => ({ answer, answer_confidence: 'yes', answer_id: i + 1 })),
    })),
  })
  await writeJson(folder, `retrieval_${part.name}.json`, distinct(part, scenes))
}

/** Each scene with a full caption, without those that have what another one has. */
function distinct(part: Part, scenes: readonly Scene[]): { image: string; caption: string[] }[] {
  const seen = new Set<string>()
  return scenes.flatMap((scene, id) => {
    const content = contentOf(scene)
    if (seen.has(content)) return []
    seen.add(content)
    const text = fullCaption(randomFor(`retrieval:${part.seed}:${id}`), scene)
    return [{ image: imageName(part, id), caption: [text] }]
  })
}

async function writeTokenizers(folder: string): Promise<void> {
  await mkdir(join(folder, 'qformer-tokenizer'))
  await writeFile(join(folder, 'qformer-tokenizer', 'vocab.txt'), vocabTxt())
  await mkdir(join(folder, 'language-tokenizer'))
  await writeJson(folder, lastFile, languageTokenizer().json)
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

async function writeJson(folder: string, name: string, json: unknown): Promise<void> {
  await writeFile(join(folder, name), JSON.stringify(json))
}
