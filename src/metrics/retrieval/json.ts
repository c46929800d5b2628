/** Ground truth of image-text retrieval: `{"img2txt": [[0, 1], …], "txt2img": [0, 0, …]}`, indices; either can be left out. */
import { DataError } from '../../errors.ts'
import { indexAt, listAt, objectAt, shown } from '../json.ts'
import type { Pairs } from './evaluate.ts'

/** DataError where it does not fit the numbers of images and texts, or the two maps contradict each other. */
export function readPairs(name: string, content: unknown, images: number, texts: number): Pairs {
  const file = objectAt(content, name)
  if (file.txt2img === undefined && file.img2txt === undefined)
    throw new DataError(`${name}: expected "img2txt" or "txt2img", found ${shown(Object.keys(file))}`)
  const imageOfTexts = file.txt2img === undefined ? undefined : readTexts(file.txt2img, name, images, texts)
  const textsOfImages = file.img2txt === undefined ? undefined : readImages(file.img2txt, name, images, texts)
  const pairs = {
    imageOfTexts: imageOfTexts ?? inverse(textsOfImages!, texts, name),
    textsOfImages: textsOfImages ?? invertTexts(imageOfTexts!, images),
  }
  check(pairs, name)
  return pairs
}

function readTexts(value: unknown, name: string, images: number, texts: number): number[] {
  const list = entries(value, texts, `${name}: txt2img`, 'texts')
  return list.map((image, text) => indexAt(image, images, `${name}: txt2img[${text}]`))
}

function readImages(value: unknown, name: string, images: number, texts: number): number[][] {
  const list = entries(value, images, `${name}: img2txt`, 'images')
  return list.map((item, image) => {
    const where = `${name}: img2txt[${image}]`
    return listAt(item, where).map((text) => indexAt(text, texts, where))
  })
}

function entries(value: unknown, count: number, where: string, what: string): readonly unknown[] {
  const list = listAt(value, where)
  if (list.length === count) return list
  throw new DataError(
    `${where}: expected ${count} entries, one for each of the ${what} of the scores, found ${list.length}`,
  )
}

function invertTexts(imageOfTexts: readonly number[], images: number): number[][] {
  const textsOfImages: number[][] = Array.from({ length: images }, () => [])
  imageOfTexts.forEach((image, text) => {
    textsOfImages[image]!.push(text)
  })
  return textsOfImages
}

function inverse(textsOfImages: readonly (readonly number[])[], texts: number, name: string): number[] {
  const imageOfTexts = new Array<number>(texts).fill(-1)
  textsOfImages.forEach((list, image) => {
    for (const text of list) imageOfTexts[text] = image
  })
  const lost = imageOfTexts.indexOf(-1)
  if (lost !== -1) throw new DataError(`${name}: img2txt: text ${lost} belongs to no image`)
  return imageOfTexts
}

function check({ textsOfImages, imageOfTexts }: Pairs, name: string): void {
  textsOfImages.forEach((texts, image) => {
    if (texts.length === 0) throw new DataError(`${name}: image ${image} has no text`)
    const other = texts.find((text) => imageOfTexts[text] !== image)
    if (other !== undefined)
      throw new DataError(
        `${name}: text ${other} belongs to image ${image} in img2txt, to ${imageOfTexts[other]} in txt2img`,
      )
  })
}
