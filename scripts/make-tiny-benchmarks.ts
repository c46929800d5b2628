/**
 * Makes a dozen drawn pictures with captions, questions and answers (all our own) into a folder, in the official files and layout of every
 * benchmark in `configs/`, so that `blip2 test` can be tried without any download. Run after `npm run build:all`:
 * `node build/scripts/make-tiny-benchmarks.js FOLDER`, then `blip2 test coco-caption ./a-model --data FOLDER`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

const colours = { red: '#c8102e', blue: '#1f4fd8', green: '#2e8b3d', yellow: '#f2c40f' } as const
const shapes = ['circle', 'square', 'triangle'] as const
const places = { grass: '#bfe3b4', sand: '#f3e2b3', snow: '#f4f7fb' } as const

interface Thing {
  readonly colour: keyof typeof colours
  readonly shape: (typeof shapes)[number]
}

/** Two things side by side on some ground. */
interface Scene {
  readonly id: number
  readonly left: Thing
  readonly right: Thing
  readonly ground: keyof typeof places
}

/** Ids are as long as COCO's; every combination of the lists is met about as often. */
const scenes: readonly Scene[] = Array.from({ length: 12 }, (_, i) => {
  const colour = Object.keys(colours) as (keyof typeof colours)[]
  const ground = Object.keys(places) as (keyof typeof places)[]
  return {
    id: 391895 + 7919 * i,
    left: { colour: colour[i % 4]!, shape: shapes[i % 3]! },
    right: { colour: colour[(i + 1 + (i % 3)) % 4]!, shape: shapes[(i + 1 + Math.floor(i / 3)) % 3]! },
    ground: ground[Math.floor(i / 4) % 3]!,
  }
})

function draw({ left, right, ground }: Scene): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="120">
    <rect width="160" height="120" fill="#cfe6fb"/><rect y="70" width="160" height="50" fill="${places[ground]}"/>
    ${drawThing(left, 42)}${drawThing(right, 118)}</svg>`
  return sharp(Buffer.from(svg)).removeAlpha().jpeg({ quality: 92 }).toBuffer()
}

function drawThing({ colour, shape }: Thing, x: number): string {
  const paint = `fill="${colours[colour]}"`
  switch (shape) {
    case 'circle':
      return `<circle cx="${x}" cy="68" r="26" ${paint}/>`
    case 'square':
      return `<rect x="${x - 25}" y="43" width="50" height="50" ${paint}/>`
    case 'triangle':
      return `<path d="M${x - 29} 94 h58 L${x} 40 z" ${paint}/>`
  }
}

function captionsOf({ left, right, ground }: Scene): string[] {
  const [a, b] = [left, right].map(({ colour, shape }) => `${colour} ${shape}`)
  return [
    `A ${a} and a ${b} on the ${ground}.`,
    `There is a ${a} to the left of a ${b}.`,
    `Two shapes on ${ground}: a ${a}, and a ${b} beside it.`,
    `a drawing of a ${b} next to a ${a}`,
    `The ${a} lies on the ${ground} with a ${b}.`,
  ]
}

interface Question {
  readonly question: string
  readonly answer: string
  /** What some of the ten people said instead. */
  readonly other: string
  readonly type: 'other' | 'yes/no' | 'number'
  /** GQA's. */
  readonly structural: 'query' | 'verify'
}

function questionsOf({ left, right, ground }: Scene): Question[] {
  const same = left.colour === right.colour ? 'yes' : 'no'
  return [
    {
      question: `What colour is the ${left.shape} on the left?`,
      answer: left.colour,
      other: 'dark',
      type: 'other',
      structural: 'query',
    },
    { question: 'How many shapes are there?', answer: '2', other: '3', type: 'number', structural: 'query' },
    {
      question: 'Do the two shapes have the same colour?',
      answer: same,
      other: 'maybe',
      type: 'yes/no',
      structural: 'verify',
    },
    { question: 'What are the shapes lying on?', answer: ground, other: 'ground', type: 'other', structural: 'query' },
  ]
}

/** Writes everything below `folder`, which is made. */
export async function makeTinyBenchmarks(folder: string): Promise<void> {
  const write = (path: string, content: unknown) => {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, Buffer.isBuffer(content) ? content : JSON.stringify(content, null, 1))
  }
  for (const scene of scenes) {
    const image = await draw(scene)
    for (const path of [coco('val', scene), coco('test', scene)]) write(`coco/${path}`, image)
    for (const path of [`gqa/images/n${scene.id}.jpg`, `nocaps/images/${hex(scene)}.jpg`, `flickr30k/${flickr(scene)}`])
      write(path, image)
  }
  writeCaptions(write)
  writeQuestions(write)
}

type Write = (path: string, content: unknown) => void

const coco = (part: 'val' | 'test', { id }: Scene) => {
  const name = part === 'val' ? 'val2014' : 'test2015'
  return `${name}/COCO_${name}_${String(id).padStart(12, '0')}.jpg`
}
const hex = ({ id }: Scene) => id.toString(16).padStart(16, '0')
const flickr = ({ id }: Scene) => `flickr30k-images/${id}.jpg`

function writeCaptions(write: Write): void {
  const list = (image: (scene: Scene) => string) =>
    scenes.map((scene) => ({ image: image(scene), caption: captionsOf(scene) }))
  for (const split of ['test', 'val'])
    write(
      `coco/annotations/coco_karpathy_${split}.json`,
      list((scene) => coco('val', scene)),
    )
  write('flickr30k/annotations/flickr30k_test.json', list(flickr))
  const official = (image: (scene: Scene) => object, id: (scene: Scene) => number) => ({
    images: scenes.map((scene) => ({ id: id(scene), ...image(scene) })),
    annotations: scenes.flatMap((scene, i) =>
      captionsOf(scene).map((caption, k) => ({ image_id: id(scene), id: 10 * i + k, caption })),
    ),
  })
  write(
    'coco/annotations/captions_val2014.json',
    official(
      (scene) => ({ file_name: coco('val', scene).slice('val2014/'.length) }),
      ({ id }) => id,
    ),
  )
  const domains = ['in-domain', 'near-domain', 'out-domain']
  write(
    'nocaps/annotations/nocaps_val_4500_captions.json',
    official(
      (scene) => ({
        file_name: `${hex(scene)}.jpg`,
        open_images_id: hex(scene),
        domain: domains[scenes.indexOf(scene) % 3],
      }),
      (scene) => scenes.indexOf(scene),
    ),
  )
}

function writeQuestions(write: Write): void {
  const asked = scenes.flatMap((scene) =>
    questionsOf(scene).map((question, k) => ({ ...question, image_id: scene.id, question_id: 1000 * scene.id + k })),
  )
  const questions = {
    questions: asked.map(({ image_id, question, question_id }) => ({ image_id, question, question_id })),
  }
  const annotations = {
    annotations: asked.map(({ image_id, question_id, question, answer, other, type }) => ({
      image_id,
      question_id,
      question_type: question.split(' ').slice(0, 2).join(' ').toLowerCase(),
      answer_type: type,
      multiple_choice_answer: answer,
      answers: Array.from({ length: 10 }, (_, i) => ({
        answer: i % 4 === 3 ? other : answer,
        answer_confidence: 'yes',
        answer_id: i + 1,
      })),
    })),
  }
  write('coco/annotations/v2_OpenEnded_mscoco_val2014_questions.json', questions)
  write('coco/annotations/v2_mscoco_val2014_annotations.json', annotations)
  write('coco/annotations/v2_OpenEnded_mscoco_test-dev2015_questions.json', questions)
  write('okvqa/annotations/OpenEnded_mscoco_val2014_questions.json', questions)
  write('okvqa/annotations/mscoco_val2014_annotations.json', annotations)
  const gqa = asked.map(({ image_id, question_id, question, answer, structural }) => [
    String(question_id),
    { question, imageId: `n${image_id}`, answer, isBalanced: true, types: { structural, semantic: 'attr' } },
  ])
  write('gqa/annotations/testdev_balanced_questions.json', Object.fromEntries(gqa))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]
  if (folder === undefined) throw new Error('usage: node build/scripts/make-tiny-benchmarks.js FOLDER')
  await makeTinyBenchmarks(folder)
}
