import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askAbout, type Question, questionKinds } from '../../scenes/questions.ts'
import { drawScene, isHeldOut, type Scene } from '../../scenes/world.ts'
import { randomFor } from '../../src/random.ts'
import { meaningOf, naiveAnswer } from './naive.ts'

type Asked = Question & { readonly scene: Scene }

/** Questions of every kind about scenes of training and novel ones. */
const asked: Asked[] = (['train', 'novel'] as const).flatMap((split) =>
  Array.from({ length: 1500 }, (_, i) => drawScene(11, split, i)).flatMap((scene) =>
    questionKinds.flatMap((kind) => {
      const question = askAbout(randomFor(`${scene.id} ${kind}`), scene, kind)
      return question ? [{ ...question, scene }] : []
    }),
  ),
)
const ofKind = (kind: string) => asked.filter((one) => one.kind === kind)

test('every answer is what a second reading of question and scene gives', () => {
  for (const { scene, question, answer } of asked)
    assert.equal(naiveAnswer(scene, question), answer, `${question} ${JSON.stringify(scene.things)}`)
})

test('every kind is asked about many scenes', () => {
  for (const kind of questionKinds) assert.ok(ofKind(kind).length > 200, `${kind}: ${ofKind(kind).length}`)
})

test('yes and no are about as frequent, in every kind', () => {
  for (const kind of questionKinds) {
    const answers = ofKind(kind).filter(({ answer }) => answer === 'yes' || answer === 'no')
    if (answers.length === 0) continue
    const yes = answers.filter(({ answer }) => answer === 'yes').length / answers.length
    assert.ok(yes > 0.35 && yes < 0.65, `${kind}: ${yes}`)
  }
})

test('no answer makes up more than half of those of its kind but yes and no', () => {
  for (const kind of questionKinds) {
    const counts = new Map<string, number>()
    for (const { answer } of ofKind(kind)) counts.set(answer, (counts.get(answer) ?? 0) + 1)
    if (counts.has('yes')) continue
    assert.ok(counts.size >= 4, `${kind}: ${[...counts.keys()]}`)
    assert.ok(Math.max(...counts.values()) / ofKind(kind).length < 0.55, kind)
  }
})

test('which is larger is not told by the question', () => {
  for (const { question } of ofKind('larger')) assert.doesNotMatch(question, /small|little|big|large /)
})

test('beside no held-out combination none is asked about, or "no" would be learnt for it', () => {
  let [yes, no] = [0, 0]
  for (const { question, answer, scene } of ofKind('exists')) {
    const phrase = /^is there (.+)\?$/.exec(question)?.[1] as string
    if (!isHeldOutPhrase(phrase)) continue
    assert.ok(scene.things.some(isHeldOut), `${scene.id}: ${question}`)
    if (answer === 'yes') yes++
    else no++
  }
  assert.ok(yes > 100 && no > 0, `${yes} yes, ${no} no`)
})

function isHeldOutPhrase(phrase: string): boolean {
  const { matches } = meaningOf(phrase)
  const meant = everyCombination.filter(matches)
  return meant.length > 0 && meant.every(isHeldOut)
}

/** One thing of each shape and colour that there is in novel scenes. */
const everyCombination = [
  ...new Map(
    Array.from({ length: 2000 }, (_, i) => drawScene(12, 'novel', i).things)
      .flat()
      .map((thing) => [`${thing.colour} ${thing.shape}`, thing] as const),
  ).values(),
]
