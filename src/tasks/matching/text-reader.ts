import { ConfigError } from '../../errors.ts'
import type { QformerTokenizer } from '../../tokenizers/qformer.ts'
import type { TextTokens } from './engine.ts'

/**
 * Texts → token ids, at most `maxLength` of them with [CLS] and [SEP]: of a longer text the last words go, which `onNotice` is told once.
 * `positions`: the most that the model can read. Throws ConfigError for another maxLength.
 */
export function textReader(
  tokenizer: QformerTokenizer,
  positions: number,
  onNotice?: (text: string) => void,
): (text: string, maxLength: number) => TextTokens {
  let told = false
  return (text, maxLength) => {
    if (!Number.isSafeInteger(maxLength) || maxLength < 3 || maxLength > positions) {
      throw new ConfigError(`maxTextLength: expected an integer from 3 to ${positions} (tokens), found ${maxLength}`)
    }
    const whole = tokenizer.encode(text, Number.MAX_SAFE_INTEGER)
    if (whole.length <= maxLength) return whole
    if (!told) onNotice?.(`texts of more than ${maxLength} tokens are cut there, the first one is: ${shown(text)}`)
    told = true
    return tokenizer.encode(text, maxLength)
  }
}

function shown(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`
}
