/**
 * The official scores of captions, answers and retrieval. What each is, on which scale and from which source: docs/metrics.md.
 *
 * `evaluate…` take values, `pair…` and `readPairs` make them of the parsed files of the data sets.
 */
export { type CiderVariant, cider } from './caption/cider.ts'
export { type PairedCaptions, pairCaptions } from './caption/coco.ts'
export { type Corpus, createCorpus, type TokenizedImages } from './caption/corpus.ts'
export {
  type CaptionedImages,
  type CaptionMetric,
  type CaptionScores,
  evaluateCaptions,
  tokenizeImages,
} from './caption/evaluate.ts'
export { tokenize } from './caption/ptb-tokenizer.ts'
export { type Parts, placesOf, type Scores } from './caption/scores.ts'
export { evaluateGqa, type GqaQuestion, type GqaScores, type GqaVariant } from './gqa/evaluate.ts'
export { type AnsweredGqaQuestions, pairGqaAnswers } from './gqa/json.ts'
export type { Id, JsonFile } from './json.ts'
export { evaluateRetrieval, type Pairs, type RetrievalScores } from './retrieval/evaluate.ts'
export { readPairs } from './retrieval/json.ts'
export type { ScoreMatrix, TieRule } from './retrieval/recall.ts'
export type { PersonsAnswer, VqaQuestion, VqaVariant } from './vqa/accuracy.ts'
export { evaluateVqa, type VqaScores } from './vqa/evaluate.ts'
export { type AnsweredQuestions, pairAnswers } from './vqa/json.ts'
