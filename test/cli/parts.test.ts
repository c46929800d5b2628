/** --language-model, --image-encoder, --tokenizer. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { lavisConfig } from '../support/lavis.ts'
import { referenceDir } from '../support/paths.ts'
import { blip2, objects, scene, tiny } from './cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-parts-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a file that LAVIS saved while it trained captions with the parts that the flags name', async () => {
  const reference = join(referenceDir, 'lavis-stage2-opt')
  const trained = join(folder, 'checkpoint.pth')
  cpSync(join(reference, 'checkpoint_trainable.pth'), trained)
  writeFileSync(join(folder, 'config.json'), JSON.stringify(await lavisConfig(reference)))
  const parts = ['--image-encoder', join(reference, 'mmpretrain-caption.pth'), '--language-model', tiny]
  const caption = ['caption', scene, '--json', '--model', trained]
  const [whole, lacking, unneeded] = await Promise.all([
    blip2([...caption, ...parts]), // the tokenizer is the language model's
    blip2([...caption, '--tokenizer', tiny]),
    blip2(['caption', scene, '--model', tiny, ...parts]),
  ])
  assert.equal(whole.code, 0, whole.stderr)
  assert.equal(typeof objects(whole)[0]?.pred_caption, 'string')
  assert.equal(lacking.code, 1)
  assert.match(
    lacking.stderr,
    /^error: .*the image encoder is not in this checkpoint; say where it is: --image-encoder /,
  )
  assert.equal(unneeded.code, 1)
  assert.match(unneeded.stderr, /^error: --image-encoder \(imageEncoder\): .*tiny-blip2 needs none, leave it out\n$/)
})
