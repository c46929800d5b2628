/**
 * Special and added tokens, from the files beside a vocabulary.
 *
 * Source: transformers 4.27, tokenization_utils_base.py, `_from_pretrained`: special_tokens_map.json is stronger than
 * tokenizer_config.json, and special tokens that the vocabulary lacks get the ids after it. `added_tokens_decoder` in
 * tokenizer_config.json: transformers 4.34 and later.
 */
import { CheckpointError } from '../errors.ts'
import { booleanAt, expectId, expectObject } from './json.ts'
import { type AddedToken, specialToken, type TokenRule, type Vocabulary } from './tokenizer-json.ts'

/** The files, parsed; undefined where there is none. */
export interface SettingsFiles {
  readonly 'tokenizer_config.json'?: unknown
  readonly 'special_tokens_map.json'?: unknown
  readonly 'added_tokens.json'?: unknown
}

const roles = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const
export type Role = (typeof roles)[number]

/** What the tokenizer's class names where no file does. */
export type RoleDefaults = Readonly<Partial<Record<Role, string>>>

export interface SpecialTokens {
  /** The token that has a role, if there is one. */
  of(role: Role): AddedToken | undefined
  /** All special tokens and all added ones. */
  readonly all: readonly AddedToken[]
}

export function readSpecialTokens(vocab: Vocabulary, defaults: RoleDefaults, files: SettingsFiles): SpecialTokens {
  const { byRole, additional } = namedTokens(defaults, files)
  const special = new Map([...byRole.values(), ...additional].map((token) => [token.content, token]))
  const all = new Map<string, AddedToken>()
  const ids = new Map(vocab)
  const owners = new Map([...vocab].map(([content, id]) => [id, content]))
  for (const [where, { id, ...token }] of addedTokens(files)) {
    const { content } = token
    const [known = id, owner = content] = [ids.get(content), owners.get(id)]
    if (known !== id) throw new CheckpointError(`${where}: "${content}" has id ${id} here and ${known} elsewhere`)
    if (owner !== content) throw new CheckpointError(`${where}: "${content}" has id ${id}, which is that of "${owner}"`)
    ids.set(content, id)
    owners.set(id, content)
    all.set(content, { id, ...(special.get(content) ?? token) })
  }
  let next = 1 + [...owners.keys()].reduce((highest, id) => Math.max(highest, id), -1)
  for (const [content, token] of special)
    if (!all.has(content)) all.set(content, { id: ids.get(content) ?? next++, ...token })
  return { of: (role) => all.get(byRole.get(role)?.content ?? ''), all: [...all.values()] }
}

/** The tokens that tokenizer_config.json and special_tokens_map.json name; null in a file: there is no such token. */
function namedTokens(defaults: RoleDefaults, files: SettingsFiles) {
  const byRole = new Map(Object.entries(defaults).map(([role, content]) => [role, specialToken(content)]))
  let additional: TokenRule[] = []
  for (const file of ['tokenizer_config.json', 'special_tokens_map.json'] as const) {
    const named = expectObject(files[file] ?? {}, file)
    for (const role of roles) {
      const token = named[role]
      if (token === null) byRole.delete(role)
      else if (token !== undefined) byRole.set(role, parseToken(token, `${file}: ${role}`))
    }
    const list = named.additional_special_tokens ?? additional
    if (!Array.isArray(list)) throw new CheckpointError(`${file}: additional_special_tokens: expected a list`)
    additional = list.map((token) => parseToken(token, `${file}: additional_special_tokens`))
  }
  return { byRole, additional }
}

/** The tokens of added_tokens.json (token → id) and of `added_tokens_decoder` (id → token), each with its place. */
function addedTokens(files: SettingsFiles): [where: string, AddedToken][] {
  const file = 'tokenizer_config.json'
  const { added_tokens_decoder: decoder } = expectObject(files[file] ?? {}, file)
  const place = `${file}: added_tokens_decoder`
  const earlier = Object.entries(expectObject(files['added_tokens.json'] ?? {}, 'added_tokens.json'))
  const later = Object.entries(expectObject(decoder ?? {}, place))
  return [
    ...earlier.map(([content, value]): [string, AddedToken] => {
      const id = expectId(value, `added_tokens.json: "${content}"`)
      return ['added_tokens.json', { id, ...specialToken(content), special: false, normalized: true }]
    }),
    ...later.map(([id, value]): [string, AddedToken] => {
      const where = `${place}: ${id}`
      const special = booleanAt(expectObject(value, where), 'special', where, false)
      return [place, { id: expectId(Number(id), place), ...parseToken(value, where), special }]
    }),
  ]
}

/** A token is its text, or an object with its text as `content` and with flags. */
function parseToken(value: unknown, where: string): TokenRule {
  const token = typeof value === 'string' ? { content: value } : expectObject(value, where)
  const { content } = token
  if (typeof content !== 'string' || content === '')
    throw new CheckpointError(`${where}: expected the text of a token, found ${JSON.stringify(content)}`)
  const flag = (name: string) => booleanAt(token, name, where, false)
  const flags = { single_word: flag('single_word'), lstrip: flag('lstrip'), rstrip: flag('rstrip') }
  return { ...specialToken(content), ...flags, normalized: flag('normalized') }
}
